"""One stage of a run, in a process that tests can kill halfway: `python -m tests.stages STAGE [ARGUMENT]`.

The argument is the id of the run that owns the build, or for `report` that of the publication; landing takes its location
from the settings. With YINGJIAN_TEST_HOOK set, the process prints `here` halfway, and continues when it reads a line.
"""

from __future__ import annotations

import importlib
import os
import select
import sys
import time
from typing import Any

from tests.conftest import WORLD_DAY
from yingjian.database import warehouse
from yingjian.modelling.dbt import invoke, shown
from yingjian.orchestration import tasks
from yingjian.processes import leave
from yingjian.publishing import build as builds
from yingjian.reports.content import audiences
from yingjian.settings import Settings

# Each stage stops at a call of a function: its module, its name, and which call of it.
MIDST = {
    "landing": ("yingjian.landing.quarantine", "clear_corrected", 3),
    "audit": ("yingjian.quality.audit", "_keep", 1),
    "publish": ("yingjian.publishing.publish", "attach_partition", 9),
    "switch": ("yingjian.publishing.publish", "_insert_publication", 1),
    "report": ("yingjian.orchestration.tasks", "_tell_packs", 1),  # Other processes are still writing packs then.
}
# There must be enough models and packs to stop halfway through them.
MODELS, MODELS_BEFORE_MIDST = ["+vaccination_60plus", "+disinfection_daily"], 3
PACKS = 5


def pause() -> None:
    print("here", flush=True)
    sys.stdin.readline()


def hook(stage: str) -> None:
    module = importlib.import_module(MIDST[stage][0])
    _, name, number = MIDST[stage]
    original, calls = getattr(module, name), 0

    def paused(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == number:
            pause()
        return original(*arguments, **named)

    setattr(module, name, paused)


def models(run_id: str, is_hooked: bool) -> None:
    settings, done = Settings.load(), 0

    def watch(event: Any) -> None:
        nonlocal done
        if event.info.name == "NodeFinished":
            done += 1
            if is_hooked and done == MODELS_BEFORE_MIDST:
                pause()

    selected = ["build", "--select", *MODELS, "--exclude", "resource_type:test", "resource_type:unit_test"]
    with warehouse.connect(settings, "publisher") as conn:
        token = builds.begin(conn, run_id).token
    with shown(token):
        result = invoke(
            settings, *selected, "--vars", f"{{as_of_date: '{WORLD_DAY}'}}", "--quiet", "--no-write-json",
            on_event=watch,
        )  # fmt: skip
    if not result.success:
        raise RuntimeError("dbt failed")


def main(stage: str, argument: str = "") -> None:
    is_hooked = bool(os.environ.get("YINGJIAN_TEST_HOOK"))
    if is_hooked and stage in MIDST:
        hook(stage)
    match stage:
        case "landing":
            tasks.land()
        case "models":
            models(argument, is_hooked)
        case "audit":
            tasks.audit(WORLD_DAY, argument)
        case "publish" | "switch":
            tasks.publish(WORLD_DAY, argument)
        case "report":
            all_readers = audiences.readers_of
            audiences.readers_of = lambda *given: all_readers(*given)[:PACKS]
            tasks.report(int(argument))
            tasks.packs(int(argument))


if __name__ == "__main__":
    if "FAKETIME" in os.environ:
        # libfaketime also shifts the absolute deadline of time.sleep, to before the machine's boot; select takes a duration.
        time.sleep = lambda seconds: select.select([], [], [], seconds)  # type: ignore[assignment]
    main(*sys.argv[1:])
    leave(0)
