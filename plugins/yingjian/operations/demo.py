"""Creates a simulated town in its own home, and continues it in real time (`yingjian live`).

The home's clock stays within the town's dates (docs/decisions/demo-clock.md), so nothing is scheduled for today, and retention
does not delete the town's data.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path

import psycopg
import yaml

from yingjian import clock, simulate
from yingjian.database import warehouse
from yingjian.orchestration.feeds import required_feeds
from yingjian.settings import Settings, SetupError

PERSONS, DAYS, RUNS, SEED = 3000, 21, 3, 1
# The plan's own edition was in force on this day; most of its duties have been lifted since.
LAST_DAY = date(2022, 7, 24)
MORNING = time(6, 30)

# A day's files arrive this many hours after its start, by the town's clock; the day ends after 24.
OTHERS_AT, REQUIRED_AT, LAST_AT, LATE_AT = 12.0, 24.75, 25.75, 32.5
# On every second day, one file of results arrives after the report, and the day is published again.
LATE_EVERY = 2


def make_town(settings: Settings, say: Callable[[str], None]) -> Path:
    """Create the landing folder with the town's first weeks if missing, and make the home a demo.

    Raises SetupError if the home has real data.
    """
    landing = settings.home / "landing"
    if clock.demo_clock(settings.home) is None:
        if landing.exists() and any(landing.iterdir()):
            raise SetupError(
                f"{settings.home} is a home with files of its own: set YINGJIAN_HOME to an empty folder for the demo"
            )
        settings.home.mkdir(parents=True, exist_ok=True)
        clock.set_demo_clock(settings.home, _at(LAST_DAY + timedelta(days=1), MORNING))
    if not landing.exists() or not any(landing.iterdir()):
        say(f"simulating a town of {PERSONS} people, {DAYS} days up to {LAST_DAY}")
        with tempfile.TemporaryDirectory(dir=settings.home) as making:
            simulate.write_landing(Path(making) / "landing", PERSONS, DAYS, SEED, LAST_DAY)
            if landing.exists():
                landing.rmdir()
            (Path(making) / "landing").rename(landing)
    if not settings.officials.exists():
        settings.officials.write_text(example_officials(settings), encoding="utf-8")
    return landing


def example_officials(settings: Settings) -> str:
    """Return the example officials, with delivery to the shared folder, since the made-up addresses have no mailboxes."""
    example = yaml.safe_load((settings.root / "docs" / "officials.example.yml").read_text(encoding="utf-8"))
    for official in example["officials"]:
        what = {receipt.get("what", "pack") for receipt in official.pop("receives", [])}
        if what:
            official["receives"] = [{"channel": "folder", "path": official["login"], "what": min(what)}]
    return yaml.safe_dump(example, allow_unicode=True, sort_keys=False)


class Live:
    """Continues the town: each day's files arrive in the landing folder by the home's clock."""

    def __init__(self, settings: Settings, day_every: timedelta, say: Callable[[str], None]) -> None:
        """Start the home's clock. Raises SetupError if the home is not a demo."""
        demo_clock = clock.demo_clock(settings.home)
        if demo_clock is None:
            raise SetupError(f"{settings.home} is no demo: `yingjian demo` (make run) makes one")
        self._settings = settings
        self._say = say
        self._stop = threading.Event()
        self._landing = settings.home / "landing"
        now = clock.now(settings.home)
        clock.set_demo_clock(settings.home, now, timedelta(days=1) / day_every)
        self._day = now.date()
        self._thread = threading.Thread(target=self._run, name="town", daemon=True)

    def start(self) -> None:
        self._say(
            f"town:    its clock shows {clock.now(self._settings.home):%Y-%m-%d %H:%M}; its files come by themselves"
        )
        self._last_publication = max([0, *self._publications()])
        self._thread.start()

    def stop(self) -> None:
        """Stop the town, and freeze its clock at the current time."""
        self._stop.set()
        self._thread.join()
        clock.set_demo_clock(self._settings.home, clock.now(self._settings.home))

    def _run(self) -> None:
        while not self._stop.is_set():
            day = self._day
            with tempfile.TemporaryDirectory(dir=self._settings.home) as folder:
                exports = self._exports(Path(folder), day)
                for hours, name, files in self._portions(day, exports):
                    if not self._wait_until(_at(day, time()) + timedelta(hours=hours)):
                        return
                    for source in files:
                        self._arrive(source)
                    if files:
                        self._say(f"{clock.now(self._settings.home):%m-%d %H:%M}  {day}: {name} ({len(files)} files)")
            self._day = day + timedelta(days=1)

    def _exports(self, folder: Path, day: date) -> list[Path]:
        """Return the files of a day, simulated by continuing the same town, that have not been sent yet."""
        days = DAYS + (day - LAST_DAY).days
        simulate.write_landing(folder, PERSONS, days, SEED, day, people_of=LAST_DAY)
        return [
            path
            for path in sorted(folder.glob("*/*"))
            if f"{day:%Y%m%d}" in path.name and not (self._landing / path.parent.name / path.name).exists()
        ]

    def _portions(self, day: date, exports: list[Path]) -> list[tuple[float, str, list[Path]]]:
        required = required_feeds()
        last = [path for path in exports if path.parent.name == required[0]]
        late = last[-1:] if day.toordinal() % LATE_EVERY == 0 and len(last) > 1 else []
        return [
            (OTHERS_AT, "registers and logs came", [path for path in exports if path.parent.name not in required]),
            (REQUIRED_AT, "required feeds came", [path for path in exports if path.parent.name in required[1:]]),
            (LAST_AT, "results came", [path for path in last if path not in late]),
            (LATE_AT, "a late file of results came", late),
        ]

    def _wait_until(self, shown: datetime) -> bool:
        """Wait for a time of the town's clock; return False if the town is stopped before."""
        while (now := clock.now(self._settings.home)) < shown:
            for number, line in self._publications().items():
                if number > self._last_publication:
                    self._last_publication = number
                    self._say(f"{now:%m-%d %H:%M}  {line}")
            if self._stop.wait(1):
                return False
        return not self._stop.is_set()

    def _publications(self) -> dict[int, str]:
        """Return descriptions of the newest publications by id; empty while the warehouse does not answer."""
        try:
            with warehouse.connect(self._settings) as conn:
                rows = conn.execute(
                    """
                    select publication_id, as_of_date, is_correction, missing_feeds from published.publication
                    order by publication_id desc limit 3
                    """
                ).fetchall()
        except psycopg.Error:
            return {}
        return {
            number: f"{day}: published{' again, as a correction' if is_correction else ''}"
            f"{f', without {chr(44).join(missing)}' if missing else ''}: {self._settings.reports / f'{day}-p{number}.html'}"
            for number, day, is_correction, missing in reversed(rows)
        }

    def _arrive(self, source: Path) -> None:
        target = self._landing / source.parent.name / source.name
        target.parent.mkdir(exist_ok=True)
        unfinished = target.with_name(f"{target.name}.part")
        shutil.move(source, unfinished)
        unfinished.rename(target)


def _at(day: date, hour: time) -> datetime:
    return datetime.combine(day, hour, clock.SHANGHAI)
