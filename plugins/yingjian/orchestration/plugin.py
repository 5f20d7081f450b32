"""This Airflow plugin registers the portal and the schedule of the days.

Airflow's scheduler and every task import this module, so it must stay cheap. The app itself is made when the API server
requests it.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from airflow.sdk.plugins_manager import AirflowPlugin

PREFIX = "/yingjian"


class PortalPlugin(AirflowPlugin):
    """This plugin serves the portal at `/yingjian/` and adds it to Airflow's navigation."""

    name = "yingjian_portal"

    @cached_property
    def timetables(self) -> list[Any]:  # type: ignore[override]
        from yingjian.orchestration.timetable import BusinessDays

        return [BusinessDays]

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        from yingjian.portal.app import create_app

        return [{"name": "yingjian_portal", "app": create_app(), "url_prefix": PREFIX}]

    @cached_property
    def external_views(self) -> list[dict[str, Any]]:  # type: ignore[override]
        from airflow.configuration import conf

        root = urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")
        return [
            {
                "name": "应检",
                "href": f"{root}{PREFIX}/",
                "icon": f"{root}{PREFIX}/static/icon.svg",
                "destination": "nav",
                "url_route": "yingjian",
                "nav_top_level": True,
            }
        ]
