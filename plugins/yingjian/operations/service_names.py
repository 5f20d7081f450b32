"""Names of the services, in a module that the command line can import cheaply."""

WORKER = "worker"
# Airflow's job type whose heartbeat shows that a service works.
JOBS = {"scheduler": "SchedulerJob", "dag-processor": "DagProcessorJob", "triggerer": "TriggererJob"}
PORTAL = "portal"
NAMES = ("api-server", *JOBS, WORKER)
CHECKED = (*NAMES, PORTAL)
