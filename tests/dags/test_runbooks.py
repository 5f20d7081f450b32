"""Whoever is woken finds what woke them: each critical check and each task that can fail stands in a runbook by name."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

from yingjian import quality
from yingjian.operations import status
from yingjian.operations.supervisor import SERVICES
from yingjian.orchestration import watch
from yingjian.settings import PROJECT_ROOT

RUNBOOKS = PROJECT_ROOT / "docs" / "runbooks"
CRITICAL = [
    f"{suite.name}.{check.name}"
    for suite in quality.load_suites(PROJECT_ROOT, date(2022, 7, 20))
    for check in suite.checks
    if check.severity == "fail"
]


def test_every_critical_check_stands_in_one_group_of_the_runbook() -> None:
    named = re.findall(r"`([a-z_]+\.[a-z_0-9]+\.[a-z_0-9]+)`", (RUNBOOKS / "checks.md").read_text())
    assert len(CRITICAL) > 80
    assert sorted(named) == sorted(CRITICAL)


def test_every_task_that_can_fail_has_its_entry(bag: dict) -> None:  # type: ignore[type-arg]
    """The entry of `build` covers the models' tasks; every other task has a row that begins with its name."""
    for name, dag in bag["dags"].items():
        text = (RUNBOOKS / f"{name}.md").read_text()
        tasks = [task_id for task_id, task in dag["tasks"].items() if task["type"] != "ModelTask"]
        assert tasks
        missing = [task_id for task_id in tasks if not re.search(rf"^\|[^|]*`{re.escape(task_id)}`", text, re.M)]
        assert missing == [], name


def test_every_service_that_can_be_down_has_its_entry() -> None:
    text = (RUNBOOKS / "services.md").read_text()
    for service in SERVICES:
        assert re.search(rf"^\| \"Airflow's {service} does not (work|answer)\"", text, re.M), service
    source = Path(status.__file__).read_text()
    for sentence in ("the broker does not answer", "no worker answers"):
        assert sentence in source and f'| "{sentence}" |' in text


def test_every_look_of_the_watch_has_its_entry() -> None:
    text = (RUNBOOKS / "watch.md").read_text()
    looks = [look.__name__ for look in (*watch.ABOUT_TIME, *watch.ABOUT_STATE)]
    assert len(looks) > 10
    assert [name for name in looks if not re.search(rf"^\| .*\(`{name}`\) \|", text, re.M)] == []
    source = Path(watch.__file__).read_text()
    assert [name for name in looks if f'"{name}"' not in source and name != "failures"] == []


def test_runbooks_that_status_names_are_there() -> None:
    source = Path(status.__file__).read_text()
    for name in set(re.findall(r"docs/runbooks/(\w+)\.md", source)):
        assert (RUNBOOKS / f"{name}.md").is_file(), name
