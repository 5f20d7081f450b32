"""Sends OpenLineage events of runs, tasks and models to YINGJIAN_OPENLINEAGE_URL, if set.

Airflow's provider sends the events of DAG runs and tasks; OpenLineage's dbt processor sends one per model with its tables and
columns. Events contain names, the models' SQL and counts, but no rows, task arguments or source code.
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
    """Return Airflow's OpenLineage settings. Raises SetupError if an endpoint is set but the packages are missing."""
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
    """Return the folder for a build's dbt artifacts, from which events are made; None if no endpoint is set."""
    return settings.home / "lineage" if settings.openlineage_url else None


def tell(settings: Settings, project: Path) -> None:
    """Send the events of the last build's models. A failing endpoint is only logged and does not fail the build."""
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
