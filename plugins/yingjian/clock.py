"""A home's clock shows the machine's time, or the time of a demo's simulated town (docs/decisions/demo-clock.md).

A home with the file `clock.json` is a demo. Its clock is stopped at a day of the demo, or runs faster than real time by the
factor that `yingjian live` sets. All code that needs today's date must use this module; tasks get their business date from
their run.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")
FILE = "clock.json"


@dataclass(frozen=True)
class DemoClock:
    """The clock showed `shown` at the real time `since`. `speed` is its seconds per real second; at 0 it is stopped."""

    shown: datetime
    since: datetime
    speed: float = 0.0

    def at(self, moment: datetime) -> datetime:
        """Return the time that the clock shows at a real time, in Asia/Shanghai."""
        return (self.shown + (moment - self.since) * self.speed).astimezone(SHANGHAI)

    def when(self, shown: datetime) -> datetime | None:
        """Return the real time at which the clock shows a time; None for a stopped clock."""
        return self.since + (shown - self.shown) / self.speed if self.speed else None


def demo_clock(home: Path) -> DemoClock | None:
    """Return the clock of a demo's home; None if the home uses the machine's time."""
    try:
        values = json.loads((home / FILE).read_text())
    except FileNotFoundError:
        return None
    return DemoClock(
        datetime.fromisoformat(values["shown"]), datetime.fromisoformat(values["since"]), float(values["speed"])
    )


def set_demo_clock(home: Path, shown: datetime, speed: float = 0.0) -> DemoClock:
    """Make a home a demo, with a clock that now shows a given time."""
    clock = DemoClock(shown.astimezone(SHANGHAI), datetime.now(UTC), speed)
    values = {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(clock).items()
    }
    temporary = home / f".{FILE}"
    temporary.write_text(json.dumps(values))
    temporary.replace(home / FILE)
    return clock


def now(home: Path) -> datetime:
    """Return the current time of a home, in Asia/Shanghai."""
    clock = demo_clock(home)
    return clock.at(datetime.now(UTC)) if clock else datetime.now(SHANGHAI)


def midnight(moment: datetime) -> datetime:
    """Return the start of a moment's day in Asia/Shanghai."""
    return moment.astimezone(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0)


def last_day(home: Path) -> date:
    """Return the newest business date that has ended."""
    return now(home).date() - timedelta(days=1)
