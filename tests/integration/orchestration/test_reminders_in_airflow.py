"""The DAG `reminders` in real Airflow: a deadline that comes near is mailed once, however often the DAG runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time, timedelta

import pytest

from tests import support
from tests.conftest import WORLD_DAY, HomeFactory
from tests.integration.operations.test_run import OFFICIALS, mail  # noqa: F401
from tests.servers import MailServer
from yingjian import clock
from yingjian.clock import SHANGHAI
from yingjian.database import warehouse
from yingjian.operations import services
from yingjian.settings import Settings

DEADLINE = datetime.combine(WORLD_DAY + timedelta(days=1), time(11))


@pytest.fixture
def home(world: Settings, home_factory: HomeFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    settings = home_factory("reminded", world)
    (settings.home / "officials.yml").write_text(OFFICIALS, encoding="utf-8")
    monkeypatch.setenv("YINGJIAN_HOME", str(settings.home))
    clock.set_demo_clock(settings.home, (DEADLINE - timedelta(hours=1)).replace(tzinfo=SHANGHAI))
    yield settings


@pytest.mark.beyond  # This test starts Airflow.
def test_a_deadline_is_mailed_once(home: Settings, mail: MailServer) -> None:  # noqa: F811
    with warehouse.connect(home) as conn:
        changed = conn.execute(
            """
            update published.contact_clock set status = 'running', is_infected = false, deadline = %s
            where publication_id = (select publication_id from published.current) and contact_key = (
                select min(contact_key) from published.contact_clock
                where publication_id = (select publication_id from published.current)
            )
            """,
            (DEADLINE,),
        ).rowcount
        assert changed == 1
        conn.execute("insert into portal.notification (login, wants) values ('director', '{clock:mail}')")
    with services.running_services(home) as airflow:
        for _ in range(2):
            run = airflow.run_dag("reminders", WORLD_DAY)
            assert run.state == "success", run
    assert mail.recipients == ["director@example.org"]
    assert support.query(home, "select what, state from delivery.attempt") == [("clock", "sent")]
