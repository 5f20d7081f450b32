"""This module sends OpenLineage events of runs, tasks and models to the endpoint of YINGJIAN_OPENLINEAGE_URL, if set.

Airflow's provider sends the events of DAG runs and tasks, OpenLineage's dbt processor those of each model with its
tables and columns. Events hold names, SQL of models and counts; they hold no row, no task argument, no source code.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

from yingjian.settings import Settings, SetupError

log = logging.getLogger(__name__)

NAMESPACE = "yingjian"
PRODUCER = "https://github.com/OpenLineage/OpenLineage/tree/main/integration/dbt"


def airflow_environment(settings: Settings) -> dict[str, str]:
    """Return Airflow's settings for OpenLineage. Raises SetupError when an endpoint is set without the packages."""
    if not settings.openlineage_url:
        return {"AIRFLOW__OPENLINEAGE__DISABLED": "True"}
    try:
        import airflow.providers.openlineage  # noqa: F401
    except ImportError:
        raise SetupError(
            "YINGJIAN_OPENLINEAGE_URL is set and its packages are not installed: run `uv sync --frozen --group lineage`"
        ) from None
    return {
        "AIRFLOW__OPENLINEAGE__DISABLED": "False",
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(_transport(settings)),
        "AIRFLOW__OPENLINEAGE__NAMESPACE": NAMESPACE,
        "AIRFLOW__OPENLINEAGE__DISABLE_SOURCE_CODE": "True",
        "AIRFLOW__OPENLINEAGE__INCLUDE_FULL_TASK_INFO": "False",
    }


def artifacts(settings: Settings) -> Path | None:
    """Return the folder in which a build must leave its artifacts for the events; None when no endpoint is set."""
    return settings.home / "lineage" if settings.openlineage_url else None


def tell(settings: Settings, project: Path) -> None:
    """Send the events of the models of the last build. An endpoint that does not answer stops nothing: it is logged."""
    from openlineage.client import OpenLineageClient
    from openlineage.client.transport.http import HttpConfig, HttpTransport
    from openlineage.common.provider.dbt.local import DbtLocalArtifactProcessor

    processor = DbtLocalArtifactProcessor(
        producer=PRODUCER, job_namespace=NAMESPACE, project_dir=str(project), target_path=str(artifacts(settings))
    )
    client = OpenLineageClient(transport=HttpTransport(HttpConfig.from_dict(_transport(settings))))
    try:
        events = processor.parse().events()
        for event in events:
            client.emit(event)
    except Exception as error:  # An endpoint, a proxy or a new version of dbt's artifacts may raise anything.
        log.warning("OpenLineage: the models of this build were not told (%s: %s)", type(error).__name__, error)
    else:
        log.info("OpenLineage: %s events of models sent", len(events))


def _transport(settings: Settings) -> dict[str, object]:
    return {"type": "http", "url": settings.openlineage_url, "timeout": 5}
