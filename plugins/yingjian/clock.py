"""What time it is for a home: the machine's time, or that of a made-up town (docs/decisions/demo-clock.md).

A home with the file `clock.json` is a demo. Its clock stands still in the demo's days, or runs as many times faster as
`yingjian live` says. Everything that asks for today asks here; tasks get their business date from their run.
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
    """`shown`: what the clock showed at the real moment `since`; `speed`: its seconds per real second, 0 stands still."""

    shown: datetime
    since: datetime
    speed: float = 0.0

    def at(self, moment: datetime) -> datetime:
        """What the clock shows at a real moment, Asia/Shanghai."""
        return (self.shown + (moment - self.since) * self.speed).astimezone(SHANGHAI)

    def when(self, shown: datetime) -> datetime | None:
        """The real moment at which the clock shows a time; None for a clock that stands still."""
        return self.since + (shown - self.shown) / self.speed if self.speed else None


def demo_clock(home: Path) -> DemoClock | None:
    """The clock of a demo's home; None where the machine's time is the home's."""
    try:
        values = json.loads((home / FILE).read_text())
    except FileNotFoundError:
        return None
    return DemoClock(
        datetime.fromisoformat(values["shown"]), datetime.fromisoformat(values["since"]), float(values["speed"])
    )


def set_demo_clock(home: Path, shown: datetime, speed: float = 0.0) -> DemoClock:
    """Make a home a demo whose clock shows a time now."""
    clock = DemoClock(shown.astimezone(SHANGHAI), datetime.now(UTC), speed)
    values = {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(clock).items()
    }
    temporary = home / f".{FILE}"
    temporary.write_text(json.dumps(values))
    temporary.replace(home / FILE)
    return clock


def now(home: Path) -> datetime:
    """The time in a home, Asia/Shanghai."""
    clock = demo_clock(home)
    return clock.at(datetime.now(UTC)) if clock else datetime.now(SHANGHAI)


def last_day(home: Path) -> date:
    """The newest business date that is over."""
    return now(home).date() - timedelta(days=1)
