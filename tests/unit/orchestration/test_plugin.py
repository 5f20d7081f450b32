"""Airflow finds the plugin, and its scheduler and tasks do not pay for it."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points

SCRIPT = """
import sys
import airflow.sdk.plugins_manager
before = set(sys.modules)
from yingjian.orchestration.plugin import PortalPlugin
print(sorted(set(sys.modules) - before))
plugin = PortalPlugin()
(view,) = plugin.external_views
print(view["href"], view["destination"], "url_route" in view, hasattr(plugin, "fastapi_apps") and plugin.fastapi_apps)
"""


def test_it_is_an_entry_point():
    (entry_point,) = (each for each in entry_points(group="airflow.plugins") if each.name == "yingjian_portal")
    assert entry_point.value == "yingjian.orchestration.plugin:PortalPlugin"


def test_the_import_is_cheap_and_the_link_leads_to_the_portal(tmp_path):
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path),
        "YINGJIAN_PORTAL_URL": "https://town.example/portal/",
        "YINGJIAN_HOME": str(tmp_path),
    }
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True
    )
    modules, address = process.stdout.splitlines()[-2:]
    assert modules == "['yingjian', 'yingjian.orchestration', 'yingjian.orchestration.plugin']"
    assert address == "https://town.example/portal/ nav False []", "a link, no frame and no app within Airflow"
