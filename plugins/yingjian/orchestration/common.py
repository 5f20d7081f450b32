"""The DAGs have this in common: their first day, the owner of their tasks, who is told of a failure, and the assets."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import Asset

from yingjian.clock import SHANGHAI
from yingjian.orchestration.tasks import notify_failure

START = datetime(2022, 7, 1, tzinfo=SHANGHAI)  # The plan is of July 2022.
TASKS: dict[str, Any] = {"owner": "data-team", "on_failure_callback": notify_failure}
# A server that does not answer now may do so a little later.
TASKS_THAT_SEND = {**TASKS, "retries": 3, "retry_delay": timedelta(minutes=1), "retry_exponential_backoff": True}

STAGING = Asset("yingjian://staging")
PUBLICATION = Asset("yingjian://publication")
PACKS = Asset("yingjian://packs")
