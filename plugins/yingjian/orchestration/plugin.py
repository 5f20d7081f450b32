"""Airflow plugin that registers the timetable of business days, and a link to the portal for the data team.

The scheduler and every task import this module, so its imports must stay cheap. Officials have no Airflow account: the portal
is a separate service.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from airflow.sdk.plugins_manager import AirflowPlugin


class PortalPlugin(AirflowPlugin):
    """Registers the timetable and a link to the portal in Airflow's navigation."""

    name = "yingjian_portal"

    @cached_property
    def timetables(self) -> list[Any]:  # type: ignore[override]
        from yingjian.orchestration.timetable import BusinessDays

        return [BusinessDays]

    @cached_property
    def external_views(self) -> list[dict[str, Any]]:  # type: ignore[override]
        from yingjian.settings import Settings

        return [{"name": "应检", "href": f"{Settings.load().portal_url}/", "destination": "nav", "nav_top_level": True}]
