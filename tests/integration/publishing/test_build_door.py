"""One build at a time: who may write the schema `build`, in which order, and what publishing refuses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import psycopg
import pytest

from tests import support
from tests.conftest import WORLD_DAY, HomeFactory
from yingjian.database import warehouse
from yingjian.orchestration import build as door
from yingjian.publishing import build as builds
from yingjian.publishing import decision
from yingjian.publishing import publish as publishing
from yingjian.publishing.completeness import NothingBuiltError
from yingjian.settings import PROJECT_ROOT, Settings

DAY = date(2022, 7, 10)
Turn = Callable[[str], bool]


@pytest.fixture
def line(home: Settings) -> Iterator[psycopg.Connection]:
    """The publisher's connection to a home in which nobody has asked yet."""
    with warehouse.connect(home) as conn:
        conn.execute("truncate publishing.build")
    with warehouse.connect(home, "publisher") as conn:
        yield conn


def ask(conn: psycopg.Connection, run_id: str, days: int = 0) -> builds.Build:
    return builds.ask(conn, run_id, DAY + timedelta(days=days))


def take(conn: psycopg.Connection, build: builds.Build, *, alive: bool = True, earlier: bool = False) -> bool:
    return builds.take_turn(conn, build, lambda run_id: alive, lambda: earlier)


def states(conn: psycopg.Connection) -> dict[str, str]:
    return dict(conn.execute("select run_key, state from publishing.build").fetchall())


# The tests below ask whose turn it is.


def test_the_second_waits_until_the_first_has_ended(line: psycopg.Connection) -> None:
    first, second = ask(line, "first"), ask(line, "second", 1)
    assert take(line, first) and not take(line, second)
    assert ask(line, "first") == builds.owned(line, "first"), "asking again changes nothing"
    with pytest.raises(builds.NotOwnerError, match="the schema build belongs to run first of 2022-07-10"):
        builds.begin(line, "second")
    assert builds.end(line, first, "published") and not builds.end(line, first, "failed"), "it ends once"
    assert take(line, second)
    assert states(line) == {"first": "published", "second": "building"}


def test_of_many_at_once_one_begins(home: Settings, line: psycopg.Connection) -> None:
    claims = [ask(line, f"run {number}") for number in range(6)]
    line.commit()
    together, owners = threading.Barrier(len(claims)), []

    def try_to(claim: builds.Build) -> None:
        with warehouse.connect(home, "publisher") as conn:
            together.wait()
            if take(conn, claim):
                owners.append(claim.run_id)

    threads = [threading.Thread(target=try_to, args=(claim,)) for claim in claims]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert owners == ["run 0"], "of one date who asked first"


def test_they_build_in_the_order_of_their_dates(line: psycopg.Connection) -> None:
    building = ask(line, "building")
    assert take(line, building)
    days = {"fourth": 4, "first": 1, "third": 3, "second": 2}
    waiting = {name: ask(line, name, day) for name, day in days.items()}
    assert not any(take(line, claim) for claim in waiting.values())
    builds.end(line, building, "published")
    built = []
    while waiting:
        owners = [name for name, claim in waiting.items() if take(line, claim)]
        assert len(owners) == 1
        built += owners
        builds.end(line, waiting.pop(owners[0]), "published")
    assert built == ["first", "second", "third", "fourth"]


def test_who_is_about_to_ask_for_an_earlier_day_is_waited_for(line: psycopg.Connection) -> None:
    claim = ask(line, "later", 1)
    assert not take(line, claim, earlier=True)
    assert take(line, claim)


def test_one_that_waited_and_is_not_seen_any_more_is_not_waited_for(line: psycopg.Connection) -> None:
    ask(line, "gone")
    claim = ask(line, "there", 1)
    assert not take(line, claim)
    line.execute("update publishing.build set seen_at = seen_at - %s where run_id = 'gone'", (2 * builds.UNSEEN,))
    assert take(line, claim)


def test_the_build_of_a_dead_run_is_taken(line: psycopg.Connection) -> None:
    dead, next_one = ask(line, "dead"), ask(line, "next", 1)
    assert take(line, dead) and not take(line, next_one)
    assert take(line, next_one, alive=False)
    assert states(line) == {"dead": "failed", "next": "building"}
    with pytest.raises(builds.NotOwnerError, match="belongs to run next of 2022-07-11"):
        builds.begin(line, "dead")


@pytest.mark.parametrize(("days", "is_superseded"), [(-1, False), (0, True), (1, True)])
def test_one_that_asks_a_person_gives_way_to_no_earlier_date(
    line: psycopg.Connection, days: int, is_superseded: bool
) -> None:
    asking = ask(line, "asking")
    assert take(line, asking)
    other = ask(line, "other", days)
    assert not take(line, other), "it builds yet"
    builds.ask_person(line, "asking")
    assert take(line, other) is is_superseded
    assert states(line)["asking"] == ("superseded" if is_superseded else "asking")
    if is_superseded:
        with pytest.raises(builds.NotOwnerError, match="clear claim_build with what follows"):
            builds.keep(line, "asking")


def test_once_released_it_gives_way_no_more(line: psycopg.Connection) -> None:
    asking, other = ask(line, "asking"), ask(line, "other", 1)
    assert take(line, asking)
    builds.ask_person(line, "asking")
    builds.keep(line, "asking")
    assert not take(line, other)


def test_a_run_that_asks_again_gets_a_number_and_each_begin_a_token(line: psycopg.Connection) -> None:
    first = support.begin_build(line, "run", DAY)
    second = builds.begin(line, "run")
    assert second.build_id == first.build_id and second.token != first.token, "what was built before does not count"
    builds.end(line, second, "published")
    again = support.begin_build(line, "run", DAY)
    assert (again.run_id, again.run_key) == ("run", "run#2") and again.build_id != first.build_id


# The tests below build by hand.

BY_HAND = """
import sys
from datetime import date
from yingjian.orchestration import build
from yingjian.settings import Settings
with build.by_hand(Settings.load(), date.fromisoformat(sys.argv[1])) as shown:
    print(shown["YINGJIAN_BUILD_TOKEN"], flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def by_hand(home: Settings) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts processes that own the schema from the token that they print until they are told a line."""
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", BY_HAND, str(DAY)], cwd=PROJECT_ROOT, text=True, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, env={**os.environ, "YINGJIAN_HOME": str(home.home)},
            )
        )  # fmt: skip
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def token_of(process: subprocess.Popen[str]) -> str:
    """Waits until the process owns the schema."""
    assert process.stdout
    return process.stdout.readline().strip()


@pytest.mark.slow
def test_who_builds_by_hand_waits_in_line(
    home: Settings, line: psycopg.Connection, by_hand: Callable[[], subprocess.Popen[str]]
) -> None:
    owner = by_hand()
    first = token_of(owner)
    second = by_hand()
    while support.query(home, "select state from publishing.build order by build_id") != [("building",), ("waiting",)]:
        assert second.poll() is None
    owner.communicate("done\n")
    token = token_of(second)
    assert support.query(home, "select token::text, as_of_date from publishing.build where state = 'building'") == [
        (token, DAY)
    ]
    second.communicate("done\n")
    assert (owner.returncode, second.returncode) == (0, 0) and first != token
    assert list(states(line).values()) == ["failed", "failed"], "nothing that was built by hand is published"


def test_the_door_is_free_when_the_process_that_builds_by_hand_is_killed(
    home: Settings, line: psycopg.Connection, by_hand: Callable[[], subprocess.Popen[str]]
) -> None:
    process = by_hand()
    assert token_of(process)
    ask(line, "next", 1)
    assert not door.take_turn(home, "next", DAY + timedelta(days=1))
    process.send_signal(signal.SIGSTOP)
    assert not door.take_turn(home, "next", DAY + timedelta(days=1)), "one that stands still is not dead"
    process.kill()
    process.wait()
    while not door.take_turn(home, "next", DAY + timedelta(days=1)):  # The server notices it in its time.
        pass
    assert builds.owned(line, "next").as_of_date == DAY + timedelta(days=1)


# The tests below ask what dbt may write.


@pytest.fixture(scope="module")
def town(home_factory: HomeFactory, built_town: Settings) -> Settings:
    """Published for two days."""
    settings = home_factory("door", built_town)
    support.release(settings, WORLD_DAY, "today")
    return settings


def rebuild(settings: Settings, run_id: str = support.RUN, *, is_audited: bool = True) -> str:
    """A build of WORLD_DAY by a run, as its first publication was; returns its token."""
    [(first,)] = support.query(settings, "select publication_id from published.publication where run_key = 'today'")
    return support.rebuild(settings, run_id, is_audited=is_audited, publication=first)


def relations(settings: Settings) -> list[tuple[object, ...]]:
    """All that dbt writes: a model or seed that is made again is another table or has other files."""
    return support.query(
        settings,
        """
        select nspname, relname, pg_class.oid, relfilenode from pg_class
        inner join pg_namespace on pg_namespace.oid = relnamespace
        where nspname in ('build', 'intermediate', 'policy', 'staging_latest') and relkind in ('r', 'v')
        order by nspname, relname
        """,
    ) + support.query(settings, "select * from publishing.built_mart order by mart")


@pytest.mark.parametrize(
    ("day", "shows_token"), [(WORLD_DAY - timedelta(days=5), True), (WORLD_DAY - timedelta(days=5), False), (WORLD_DAY, False)]
)  # fmt: skip
@pytest.mark.slow
def test_dbt_of_another_day_or_without_the_token_writes_nothing(town: Settings, day: date, shows_token: bool) -> None:
    """Between a build and its publication, which is then made of what was audited: one sentence says why, no model begins."""
    token = rebuild(town, "door")
    before = relations(town)
    command = ("run", "--select", "feed_quality", "int_policy__editions", "--vars", f"{{as_of_date: '{day}'}}")
    done = support.dbt(town, *command, check=False, token=token if shows_token else "")
    assert not done.success
    sentence = "the schema build belongs to run door of business date 2022-07-20: wait for it, or use the target dev"
    assert sentence in done.stdout and "Traceback" not in done.stdout
    assert "START sql" not in done.stdout
    assert relations(town) == before
    support.dbt(town, *command[:-1], f"{{as_of_date: '{WORLD_DAY}'}}", token=token)
    assert relations(town) != before, "who owns the build writes it"


def test_dbt_writes_nothing_while_nobody_builds(town: Settings) -> None:
    with warehouse.connect(town, "publisher") as conn:
        builds.end(conn, support.begin_build(conn, "over", WORLD_DAY), "failed")
    command = ("run", "--select", "feed_quality", "--vars", f"{{as_of_date: '{WORLD_DAY}'}}")
    done = support.dbt(town, *command, check=False, token=str(uuid4()))
    assert not done.success and "nobody owns the schema build: use yingjian run --date D" in done.stdout


# The tests below show what is not published.


def publish(settings: Settings, run_id: str) -> int:
    with warehouse.connect(settings, "publisher") as conn:
        return publishing.publish(conn, WORLD_DAY, run_id=run_id, code_version="test", may_release={"director"})


def release(settings: Settings) -> None:
    """The director releases the build that asks."""
    now = datetime.now(UTC)
    with warehouse.connect(settings, "publisher") as conn:
        build = builds.owned(conn, support.RUN)
        question = decision.ask(
            conn, decision.RELEASE, support.RUN, build.as_of_date, now, now + timedelta(hours=1),
            build_token=build.token,
        )  # fmt: skip
    with warehouse.connect(settings, "portal") as conn:
        decision.decide(
            conn, question, login="director", name="王主任", is_released=True, reason="试验", allowed={"director"}
        )


def refused(settings: Settings, error: type[Exception], sentence: str, run_id: str = support.RUN) -> None:
    """Publishing is refused with this sentence, and readers see what they saw."""
    before = support.query(settings, "select * from reporting.publication")
    with pytest.raises(error, match=sentence):
        publish(settings, run_id)
    assert support.query(settings, "select * from reporting.publication") == before


def test_a_mart_of_another_build_is_not_published(town: Settings) -> None:
    """A run died after its models, and the next one built but one of them."""
    rebuild(town, "died")
    support.claim(town, WORLD_DAY)
    support.dbt_of(town, WORLD_DAY, "run", "--select", "feed_quality")
    found(town, support.renew(town, WORLD_DAY).token)
    refused(town, NothingBuiltError, "compliance_daily, .* in build were made by another build")
    with pytest.raises(NothingBuiltError) as error:
        publish(town, support.RUN)
    assert "feed_quality" not in str(error.value)


def test_a_mart_that_was_exchanged_behind_the_build_is_not_published(town: Settings) -> None:
    rebuild(town)
    with warehouse.connect(town) as conn:
        conn.execute("alter table build.due rename to due_before")
        conn.execute("create table build.due as table build.due_before; drop table build.due_before")
    refused(town, NothingBuiltError, "^due in build were made by another build or for another day")


@pytest.mark.parametrize("other", ["as_of_date - 1", "null"])
def test_a_mart_of_another_date_is_not_published(town: Settings, other: str) -> None:
    rebuild(town)
    with warehouse.connect(town) as conn:
        conn.execute("alter table build.feed_quality alter as_of_date drop not null")
        conn.execute(
            f"update build.feed_quality set as_of_date = {other} where feed = 'residents'"  # type: ignore[arg-type]
        )
    refused(town, NothingBuiltError, "^feed_quality in build hold rows of another day than 2022-07-20")


def found(settings: Settings, token: str, *, success: bool = True) -> None:
    """The findings of an audit of a build are kept as the audit keeps them."""
    with warehouse.connect(settings, "auditor") as conn:
        conn.execute(
            """
            insert into quality.check_result
                (as_of_date, suite, check_name, table_name, severity, success, failing_rows, message, build_token)
            values (%s, 'build.due', 'made_up', 'build.due', 'fail', %s, %s, '试验', %s)
            """,
            (WORLD_DAY, success, None if success else 3, token),
        )


def test_a_build_that_nobody_audited_is_not_published(town: Settings) -> None:
    """Findings of another build, and of the same run's build before it began again, say nothing of this one."""
    before = rebuild(town)
    rebuild(town, is_audited=False)
    found(town, str(uuid4()))
    found(town, before)
    refused(town, NothingBuiltError, "the build of 2022-07-20 was not audited")


def test_a_failed_audit_stands_whatever_is_found_of_another_build(town: Settings) -> None:
    token = rebuild(town)
    found(town, token, success=False)
    found(town, str(uuid4()))
    refused(town, publishing.NotReleasedError, "nobody released the build")
    release(town)
    publication = publish(town, support.RUN)
    status = "select publication_id, quality_status, checks_failed from reporting.publication"
    assert support.query(town, status) == [(publication, "released_by_hand", 1)], "the last audit of this build"


def test_the_last_audit_of_a_build_counts(town: Settings) -> None:
    token = rebuild(town)
    found(town, token, success=False)
    found(town, token)
    release(town)
    publication = publish(town, support.RUN)
    status = "select publication_id, quality_status, checks_run, release_reason from reporting.publication"
    assert support.query(town, status) == [(publication, "passed", 1, None)], "nothing had to be released"


def test_who_does_not_own_the_build_publishes_nothing(town: Settings) -> None:
    rebuild(town, "owner")
    refused(town, builds.NotOwnerError, "belongs to run owner of 2022-07-20", "stranger")


def test_a_run_taken_for_dead_while_it_publishes_changes_nothing(
    town: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    rebuild(town)
    wait = publishing._wait_for_older_statements

    def taken_meanwhile(conn: psycopg.Connection) -> None:
        support.claim(town, WORLD_DAY, "another")
        wait(conn)

    monkeypatch.setattr(publishing, "_wait_for_older_statements", taken_meanwhile)
    refused(town, builds.NotOwnerError, "taken for dead")
    monkeypatch.undo()
    rebuild(town, "another")
    publication = publish(town, "another")
    assert support.query(town, "select publication_id from reporting.publication") == [(publication,)]


def test_a_build_that_was_released_is_not_superseded_while_it_is_published(
    town: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = rebuild(town)
    found(town, token, success=False)
    with warehouse.connect(town, "publisher") as conn:
        builds.ask_person(conn, support.RUN)
    wait = publishing._wait_for_older_statements

    def next_day_meanwhile(conn: psycopg.Connection) -> None:
        with warehouse.connect(town, "publisher") as other:
            assert not take(other, builds.ask(other, "next day", WORLD_DAY + timedelta(days=1)))
        wait(conn)

    monkeypatch.setattr(publishing, "_wait_for_older_statements", next_day_meanwhile)
    release(town)
    publication = publish(town, support.RUN)
    assert support.query(town, "select publication_id from reporting.publication") == [(publication,)]
    with warehouse.connect(town, "publisher") as conn:
        assert take(conn, builds.ask(conn, "next day", WORLD_DAY + timedelta(days=1)))


# The tests below show what is published.


def test_a_run_that_was_cleared_publishes_again(town: Settings) -> None:
    rebuild(town, "cleared")
    first = publish(town, "cleared")
    assert publish(town, "cleared") == first, "the step again publishes nothing"
    rebuild(town, "cleared")
    again = publish(town, "cleared")
    assert again > first
    assert support.query(
        town,
        "select publication_id, run_key, is_correction from published.publication where starts_with(run_key, 'cleared') order by 1",
    ) == [(first, "cleared", True), (again, "cleared#2", True)]
    assert support.query(town, "select publication_id from reporting.publication") == [(again,)]


def test_a_past_day_goes_on_record_and_into_history_and_never_becomes_current(town: Settings) -> None:
    yesterday = WORLD_DAY - timedelta(days=1)
    [(first,)] = support.query(
        town, "select publication_id from published.publication where as_of_date = %s", yesterday
    )
    current = support.query(town, "select * from reporting.publication")
    seen = support.marts(town)
    support.rebuild(town, "past day", publication=first)
    with warehouse.connect(town) as conn:
        conn.execute("update build.compliance_daily set unit = 'of a past day, computed again'")
    publication = support.publish(town, yesterday, "past day")
    assert support.query(
        town,
        "select as_of_date, run_key, is_correction from published.publication where publication_id = %s",
        publication,
    ) == [(yesterday, "past day", True)]
    assert support.query(town, "select * from reporting.publication") == current
    after = support.marts(town)
    assert {name for name, rows in after.items() if rows != seen[name]} == {"compliance_daily"}
    history = "select distinct as_of_date, unit = 'of a past day, computed again' from reporting.compliance_daily"
    assert sorted(support.query(town, history)) == [(yesterday, True), (WORLD_DAY, False)]


# The tests below show that landing and building exclude each other.


def test_a_landing_waits_for_a_build_at_work_and_not_for_a_dead_one(home: Settings, line: psycopg.Connection) -> None:
    build = ask(line, "builds")
    assert take(line, build)
    looks: list[str] = []

    def is_alive(run_id: str) -> bool:
        looks.append(run_id)
        return len(looks) < 3

    waits: list[None] = []
    with (
        warehouse.connect(home, "publisher") as conn,
        builds.staging_at_rest(conn, is_alive, lambda: waits.append(None)),
    ):
        assert looks == ["builds"] * 3 and len(waits) == 2, "it looked until the build was over"


def test_a_build_that_begins_waits_for_a_landing(home: Settings, line: psycopg.Connection) -> None:
    build = ask(line, "builds")
    assert take(line, build)
    began = threading.Event()

    def begin() -> None:
        with warehouse.connect(home, "publisher") as conn:
            builds.begin(conn, "builds")
        began.set()

    with (
        warehouse.connect(home, "publisher") as conn,
        builds.staging_at_rest(conn, lambda run_id: False, lambda: None),
    ):
        waiting = threading.Thread(target=begin)
        waiting.start()
        assert not began.wait(1)
    waiting.join(60)
    assert began.is_set()
