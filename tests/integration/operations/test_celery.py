"""The same DAGs on workers of their own, by way of a real Redis on loopback; one is killed while it builds, one while it delivers."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import psycopg
import pytest
from aiosmtpd.smtp import Envelope
from kombu import Connection

from tests import support
from tests.conftest import WORLD_DAY, HomeFactory
from tests.integration.operations.test_run import mail  # noqa: F401
from tests.servers import MailServer, RedisServer
from yingjian.database import warehouse
from yingjian.operations import broker, services, status, supervisor
from yingjian.operations.service_processes import services_to_come
from yingjian.settings import Settings

pytestmark = [
    pytest.mark.beyond,
    pytest.mark.ci,
    pytest.mark.skipif(not shutil.which("redis-server"), reason="redis-server is not installed (Debian: redis-server)"),
]
YINGJIAN = [sys.executable, "-m", "yingjian.cli"]
OFFICIALS = """
officials:
  - {login: director, name: 街道主要领导, audience: office, receives: [{channel: mail, to: director@example.org}]}
  - {login: grid, name: 社区网格员, audience: {community: 第1社区}, may: [persons],
     receives: [{channel: mail, to: grid@example.org}]}
"""


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    server = RedisServer()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def home(home_factory: HomeFactory, redis: RedisServer, simulated_landing: Path) -> Settings:
    """This home has a broker and two workers."""
    return replace(home_factory("celery"), broker=redis.url, workers=2, landing=str(simulated_landing))


def processes(session: int) -> list[int]:
    pids = []
    for process in psutil.process_iter(["status"]):
        with suppress(OSError):  # It ended meanwhile.
            if os.getsid(process.pid) == session and process.info["status"] != psutil.STATUS_ZOMBIE:
                pids.append(process.pid)
    return pids


def kill_machine(session: int) -> None:
    """Kill -9 every process of a session, as if the machine's power had gone."""
    for pid in processes(session):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def wait_for(condition: Callable[[], bool], seconds: int = 600) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return
        time.sleep(0.2)
    raise AssertionError("it did not come to that")


def metadata(home: Settings, text: str) -> list[tuple]:  # type: ignore[type-arg]
    with psycopg.connect(warehouse.airflow_uri(home)) as conn:
        return conn.execute(text).fetchall()  # type: ignore[arg-type]


def is_time_to_try_again(home: Settings) -> bool:
    """A task that waits some minutes before its next try waits no longer; the function tells whether there is one."""
    with psycopg.connect(warehouse.airflow_uri(home)) as conn:
        text = "update task_instance set end_date = end_date - interval '1 hour' where state = 'up_for_retry'"
        return conn.execute(text).rowcount > 0


def answering(home: Settings) -> list[str]:
    names = [name.partition("@")[0] for name in status.collect(home)["services"]["states"]]
    return [name for name in names if name.startswith("worker-")]


def executed(home: Settings) -> dict[str, list[str]]:
    """The tasks that each worker took, in order; one that is started again goes on in the same log."""
    logs = {path.stem: path.read_text() for path in (home.home / "airflow" / "logs").glob("worker-*.log")}
    return {name: re.findall(r"Executing workload in Celery: .* task_id='(\w+)'", log) for name, log in logs.items()}


def times(home: Settings, task: str) -> int:
    """How many times a worker took this task."""
    return sum(tasks.count(task) for tasks in executed(home).values())


def services_recorded(home: Settings) -> list[int]:
    """These are the sessions of the services."""
    return [pid for pid, _ in json.loads((home.home / "airflow" / "services.json").read_text())["services"]]


@pytest.fixture(autouse=True)
def soon_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow waits five minutes for a sign of a task's worker; here it waits 20 seconds."""
    monkeypatch.setenv("AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT", "20")
    monkeypatch.setenv("AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL", "2")


def worker_at(home: Settings, task: str) -> int:
    """The worker that is at this task."""
    [(pid,)] = metadata(home, f"select pid from task_instance where task_id = '{task}' and state = 'running'")
    return os.getsid(pid)


def test_a_worker_killed_while_it_builds_and_one_while_it_delivers(
    home: Settings,
    world: Settings,
    redis: RedisServer,
    mail: MailServer,  # noqa: F811
) -> None:
    """The day is published once, with the rows of a day without Airflow: another worker does all that is left.

    Nobody gets a mail twice: another worker sends what had not begun; what may have arrived is on record as uncertain. The
    workers start and stop with the services, and one that dies is started again.
    """
    home.officials.write_text(OFFICIALS, encoding="utf-8")
    killed: list[int] = []

    def kill_worker_at(task: str) -> None:
        killed.append(worker_at(home, task))
        kill_machine(killed[-1])

    def kill_once(_: Envelope) -> None:
        if len(killed) == 1:
            kill_worker_at("deliver")

    mail.on_data = kill_once
    assert broker.workers(home) == []
    with services.running_services(home) as airflow:
        sessions = services_recorded(home)
        assert len(sessions) + len(services_to_come(home)) == len(supervisor.SERVICES) + 2
        wait_for(lambda: answering(home) == ["worker-1", "worker-2"])
        run = subprocess.Popen(
            [*YINGJIAN, "run", "--date", str(WORLD_DAY), "--landing", home.landing],
            env={**os.environ, "YINGJIAN_HOME": str(home.home), "YINGJIAN_BROKER": home.broker or ""},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        a_model = "intermediate.int_sample__counting"
        wait_for(lambda: support.query(home, "select to_regclass(%s) is not null", a_model) == [(True,)])
        kill_worker_at("build")
        printed, _ = run.communicate(timeout=1200)
        assert run.returncode == 0 and f"{WORLD_DAY}: published; report " in printed, printed
        assert redis.password not in printed
        assert support.marts(home) == support.marts(world)
        assert [times(home, task) for task in ("land", "build", "audit", "gate", "publish")] == [1, 2, 1, 1, 1]

        wait_for(lambda: len(answering(home)) == 2)
        run_id = airflow.start_dag("delivery", WORLD_DAY, {"publication_id": 1})
        wait_for(lambda: is_time_to_try_again(home))
        assert airflow.wait_for("delivery", run_id).state == "failed", "somebody is to ask whether the mail arrived"
        assert mail.recipients == ["director@example.org", "grid@example.org"]
        [first] = mail.accepted[0].rcpt_tos
        states = support.query(home, "select official || '@example.org', state from delivery.attempt where what = 'pack' and channel = 'mail'")  # fmt: skip
        assert dict(states) == {**dict.fromkeys(mail.recipients, "sent"), first: "uncertain"}

        # A day later Redis would deliver again what the dead workers never acknowledged.
        wait_for(lambda: redis.client.hlen("unacked") >= 2)
        before = times(home, "build"), times(home, "deliver")
        redis.client.lpush("default", *(json.dumps(json.loads(text)[0]) for text in redis.client.hvals("unacked")))
        wait_for(lambda: (times(home, "build"), times(home, "deliver")) == (before[0] + 1, before[1] + 1))
        wait_for(lambda: not redis.client.hlen("unacked"))
        assert support.query(home, "select count(*) from published.publication") == [(1,)]
        assert metadata(home, "select try_number, state from task_instance where task_id = 'build'") == [(2, "success")]
        assert len(mail.accepted) == 2

        assert answering(home) == ["worker-1", "worker-2"]
        assert len(killed) == 2 and not {*killed} & {*services_recorded(home)}
        sessions += services_recorded(home)
    assert not [pid for session in sessions for pid in processes(session)]


def messages(redis: RedisServer) -> list[str]:
    """The function returns the text of every message that Redis ever got."""
    bodies = re.findall(r'"body": "([\w+/=]+)"', "\n".join(redis.passed))
    return [str(json.loads(base64.b64decode(body))) for body in bodies]


def test_nothing_personal_and_no_password_goes_through(home: Settings, redis: RedisServer) -> None:
    """After that run: in all that Redis ever got, in the results in Airflow's database, in what the processes wrote."""
    tasks = {task for text in messages(redis) for task in re.findall(r"task_id\W+(\w+)", text)}
    assert tasks >= {"land", "build", "audit", "gate", "publish", "report", "packs"}
    results = metadata(home, "select status, encode(result, 'escape'), traceback from celery_taskmeta")
    assert len(results) > len(tasks) // 2, (
        "a worker that is killed, or stopped at the end, writes none of its last tasks"
    )
    people = support.query(home, "select name, id_number, phone from restricted.person")
    marks = {mark for person in people for mark in person if mark}
    assert len(marks) > 500
    everything = "\n".join([*redis.passed, *messages(redis), *map(str, results)])
    assert not [mark for mark in marks if mark in everything]
    logs = [path for path in (home.home / "airflow").rglob("*") if path.is_file()]
    assert len(logs) > 10 and not [path for path in logs if redis.password.encode() in path.read_bytes()]

    with Connection(redis.url) as connection:
        connection.SimpleQueue("leak").put([people[0][0]])
    wait_for(lambda: any(people[0][0] in text for text in messages(redis)), seconds=10)
