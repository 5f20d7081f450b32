"""Defaults shared by all DAGs: start date, tag, task owner, failure callback, retries for sending tasks, and the assets."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import Asset

from yingjian.clock import SHANGHAI
from yingjian.orchestration.tasks import notify_failure

# The plan is of July 2022.
EVERY_DAG: dict[str, Any] = {"start_date": datetime(2022, 7, 1, tzinfo=SHANGHAI), "tags": ["yingjian"]}
TASKS: dict[str, Any] = {"owner": "data-team", "on_failure_callback": notify_failure}
# Sending is retried with exponential backoff, since a server may be down only briefly.
TASKS_THAT_SEND = {**TASKS, "retries": 3, "retry_delay": timedelta(minutes=1), "retry_exponential_backoff": True}

STAGING = Asset("yingjian://staging")
PUBLICATION = Asset("yingjian://publication")
PACKS = Asset("yingjian://packs")
