"""The names of the services; the command line offers them without importing what the services need."""

WORKER = "worker"
# Airflow's name of the job whose heartbeat shows that a service works.
JOBS = {"scheduler": "SchedulerJob", "dag-processor": "DagProcessorJob", "triggerer": "TriggererJob"}
PORTAL = "portal"
NAMES = ("api-server", *JOBS, WORKER)
CHECKED = (*NAMES, PORTAL)
