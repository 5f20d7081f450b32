"""Tests of faults share these helpers: a reader that polls the marts, and a function that kills a scheduler."""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import psycopg

from yingjian.database import warehouse
from yingjian.modelling.marts import published
from yingjian.settings import Settings


class Reader(threading.Thread):
    """A dashboard that polls until it is stopped. seen: by publication, the distinct answers."""

    QUESTION = " union all ".join(
        ["select 'publication', publication_id::text from reporting.publication"]
        + [
            f"select '{mart}', md5(coalesce(string_agg(t::text, '' order by t::text), '')) || count(*) from reporting.{mart} as t"
            for mart, facts in published().items()
            if facts.reader_schema == "reporting"
        ]
    )

    def __init__(self, settings: Settings) -> None:
        super().__init__(daemon=True)
        self.seen: dict[str, set[str]] = defaultdict(set)
        self.polls = 0
        self.is_down = False  # the server itself was killed: nobody can read
        self.errors: list[str] = []
        self._settings = settings
        self._stopping = threading.Event()

    def run(self) -> None:
        while not self._stopping.is_set():
            was_down = self.is_down
            try:
                # A run must never make a reader wait for a lock. The idle timeout is off because libfaketime does not cover
                # the server's timer: it sees the real clock, days ahead, and would end a session that is never idle.
                options = "-c lock_timeout=60000 -c idle_session_timeout=0"
                with psycopg.connect(warehouse.uri(self._settings, "bi_reader"), autocommit=True, options=options) as conn:  # fmt: skip
                    while not self._stopping.is_set():
                        was_down = self.is_down
                        (_, publication), *marts = conn.execute(self.QUESTION).fetchall()
                        self.seen[publication].add(str(marts))
                        self.polls += 1
                        time.sleep(0.05)
            except Exception as error:
                if not (was_down or self.is_down):
                    self.errors.append(f"{type(error).__name__}: {error}")
                time.sleep(0.05)

    def stop(self) -> None:
        self._stopping.set()
        self.join()

    def wait_for_polls(self, count: int = 2) -> None:
        until = self.polls + count
        while self.polls < until and not self.errors:
            time.sleep(0.02)


@contextmanager
def polling(town: Settings) -> Iterator[Reader]:
    """Poll the marts during the block. Fails the test if the reader saw an error, or one publication in different states."""
    reader = Reader(town)
    reader.start()
    reader.wait_for_polls(1)
    yield reader
    reader.stop()
    assert reader.errors == []
    assert {len(answers) for answers in reader.seen.values()} == {1}, "a publication is always the same, and whole"


def kill_scheduler(settings: Settings) -> None:
    """Kill the scheduler of a home's services with SIGKILL, and set its last heartbeat back by an hour.

    Airflow treats a scheduler as dead after five minutes without a heartbeat, and then restarts its tasks
    (docs/decisions/slow-is-not-dead.md). With the old heartbeat, the next scheduler does so as soon as it starts.
    """
    state = json.loads((settings.home / "airflow" / "services.json").read_text())
    processes = [psutil.Process(pid) for pid, _ in state["services"]]
    scheduler = next(process for process in processes if "scheduler" in " ".join(process.cmdline()))
    scheduler.kill()
    with psycopg.connect(warehouse.airflow_uri(settings)) as conn:
        conn.execute(
            "update job set latest_heartbeat = latest_heartbeat - interval '1 hour'"
            " where job_type = 'SchedulerJob' and state = 'running'"
        )
