"""Each condition of retention by itself: rows of staging that are written by hand, and which of them stay.

Every case shows the right value of one comparison, and fails when the comparison is turned round or meets its boundary.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import count
from typing import Any

import psycopg
import pytest

from tests import metadata
from yingjian.database import warehouse
from yingjian.landing.feeds import FEEDS
from yingjian.privacy import retention
from yingjian.settings import Settings

LAST_KEPT = date(2021, 7, 10)
GONE = LAST_KEPT - timedelta(days=1)
KEYS = {"residents": "person_key"} | {
    feed: f"{feed.removesuffix('s')}_key" for feed in ("arrivals", "contacts", "referrals", "cases", "guests", "health_checks", "disinfections", "exemptions")
} | {
    "key_population": "record_key", "test_results": "sample_key", "declarations": "notice_key", "risk_zones": "notice_key",
    "pharmacy_purchases": "purchase_key", "releases": "release_key", "dispositions": "disposition_key",
    "inspections": "inspection_key", "drills": "drill_key", "supplies": "item", "isolation_sites": "site_name",
}  # fmt: skip
Rows = list[tuple[str, str, dict[str, Any]]]


def before(days: int, moment: str = "") -> str:
    """A day so many days before the first that goes, at midnight unless told otherwise."""
    return f"{GONE - timedelta(days=days)} {moment}".strip()


@pytest.fixture
def conn(world: Settings) -> Iterator[psycopg.Connection]:
    """A transaction in which staging is empty; it is rolled back."""
    with warehouse.connect(world) as connection:
        connection.execute(f"truncate {', '.join(f'staging.{feed}' for feed in FEEDS)}")  # type: ignore[arg-type]
        yield connection
        connection.rollback()


def stay(conn: psycopg.Connection, rows: Rows, publication_id: int = 0) -> set[str]:
    """Keys of the rows that stay when the last day of everything is LAST_KEPT; nobody has anything open but in that publication.

    rows: feed, key, cells; a row is about a person of its own unless `person_key` says otherwise.
    """
    lines = count(2)
    columns = dict.fromkeys(retention._OVER, frozenset[str]())
    for feed in {feed for feed, _, _ in rows}:
        described = conn.execute(f"select * from staging.{feed} limit 0").description or []  # type: ignore[arg-type]
        columns[feed] = frozenset(column.name for column in described)
    for feed, key, cells in rows:
        person = {"person_key": key, "id_number": key, "id_type": "护照"}
        row = {name: value for name, value in person.items() if name in columns[feed]} | {KEYS[feed]: key} | cells
        metadata.put(conn, f"staging.{feed}", file_id=0, line=next(lines), **row)
    retention._staging(conn, dict.fromkeys(retention._OVER, LAST_KEPT), publication_id)
    return {
        key
        for feed in {feed for feed, _, _ in rows}
        for (key,) in conn.execute(f"select {KEYS[feed]} from staging.{feed}").fetchall()  # type: ignore[arg-type]
    }


def member(key: str, start: str, end: Any = None, **cells: Any) -> tuple[str, str, dict[str, Any]]:
    return "key_population", key, {"start_date": start, "end_date": end, **cells}


def taken(key: str, day: Any, person: str) -> tuple[str, str, dict[str, Any]]:
    return "test_results", key, {"sampled_at": f"{day}", "result": "阴性", "person_key": person}


def release(key: str, record: str, day: Any) -> tuple[str, str, dict[str, Any]]:
    return "releases", key, {"record_key": record, "release_type": "全部管控", "release_date": day}


def notice(key: str, kind: str, start: Any, end: Any = None, **cells: Any) -> tuple[str, str, dict[str, Any]]:
    return "declarations", key, {"declaration_type": kind, "started_at": start, "ended_at": end, **cells}


def zone(key: str, zone_key: str, level: str, day: Any, updated: str = "2020-01-01") -> tuple[str, str, dict[str, Any]]:
    return "risk_zones", key, {"zone_key": zone_key, "level": level, "effective_date": day, "updated_at": updated}


NEWER = [taken("newer", LAST_KEPT, "p"), taken("newest", LAST_KEPT + timedelta(days=1), "p")]
NEW = {"newer", "newest"}
STANDS: dict[str, Any] = {"person_key": "p"}

CASES: dict[str, tuple[Rows, set[str]]] = {
    "an outbreak ends by the earlier of its own end and the first notice of one": (
        [
            notice("own", "疫情启动", before(60), GONE, communities="甲"), notice("own-end", "疫情结束", LAST_KEPT, communities="甲"),
            notice("by-notice", "疫情启动", before(50), LAST_KEPT, communities="乙"),
            notice("first-end", "疫情结束", GONE, communities="乙"), notice("second-end", "疫情结束", LAST_KEPT, communities="乙"),
        ],
        {"own-end", "second-end"},
    ),
    "an end of another community, or of the same moment, ends nothing": (
        [
            notice("elsewhere", "疫情启动", before(8), communities="甲"), notice("end", "疫情结束", before(7), communities="乙"),
            notice("moment", "疫情启动", before(9), communities="丙"), notice("moment-end", "疫情结束", before(9), communities="丙"),
        ],
        {"elsewhere", "end", "moment", "moment-end"},
    ),
    "an outbreak stays while one that began before its end stays": (
        [
            notice("touches", "疫情启动", before(60), before(10)), notice("does-not", "疫情启动", before(60), before(11)),
            notice("stands", "疫情启动", before(10), LAST_KEPT), notice("later", "疫情启动", LAST_KEPT),
        ],
        {"touches", "stands", "later"},
    ),
    "a round of an area goes although an outbreak stands": (
        [notice("round", "区域核酸", before(8)), notice("stands", "疫情启动", before(20))], {"stands"},
    ),
    "a zone goes by its newest notice": (
        [
            zone("high", "lowered", "高", before(9)), zone("low", "lowered", "低", GONE),
            zone("low-first", "raised", "低", before(9)), zone("high-again", "raised", "高", GONE),
            zone("high-typed", "corrected", "高", GONE, "2020-01-01"), zone("low-typed", "corrected", "低", GONE, "2020-01-02"),
            zone("late-high", "late", "高", before(9)), zone("late-low", "late", "低", LAST_KEPT),
        ],
        {"low-first", "high-again", "late-high", "late-low"},
    ),
    "a record is over by the earlier of its end and its first release": (
        [
            member("released", before(60), LAST_KEPT), release("r1", "released", GONE),
            member("ended", before(60), GONE), release("r2", "ended", LAST_KEPT),
            member("twice", before(60)), release("r3", "twice", GONE), release("r4", "twice", LAST_KEPT),
            member("stands", before(60), LAST_KEPT),
        ],
        {"r2", "r4", "stands"},
    ),
    "a person whom nobody found is over before a later release": (
        [
            ("referrals", "left", {"handed_down_at": before(60), "verification_result": "已离开", "verified_at": GONE}),
            release("r", "referrals:left", LAST_KEPT),
        ],
        {"r"},
    ),
    "an arrival and a purchase go by themselves": (
        [
            ("arrivals", "old", {"arrival_date": GONE}), ("arrivals", "new", {"arrival_date": LAST_KEPT}),
            ("pharmacy_purchases", "bought", {"purchased_at": GONE}), ("pharmacy_purchases", "late", {"purchased_at": LAST_KEPT}),
        ],
        {"new", "late"},
    ),
    "a case stays with its zone": (
        [
            zone("notice", "there", "高", before(9)),
            ("cases", "inside", {"discharge_date": GONE, "zone_key": "there"}),
            ("cases", "outside", {"discharge_date": GONE, "zone_key": "nowhere"}), ("cases", "none", {"discharge_date": GONE}),
        ],
        {"notice", "inside"},
    ),
    "a person's records go together, with the last": (
        [member("over", before(60), GONE, **STANDS), member("open", before(30), **STANDS), member("alone", before(60), GONE)],
        {"over", "open"},
    ),
    "what a round proves goes with it": (
        [
            notice("round", "区域核酸", before(5), LAST_KEPT), notice("later", "区域核酸", LAST_KEPT), zone("zone", "z", "高", before(3)),
            ("residents", "in-time", {"moved_out_date": before(5)}), ("residents", "before", {"moved_out_date": before(6)}),
            taken("same-day", before(5), "a"), taken("day-before", before(6), "b"),
        ],
        {"round", "later", "zone", "in-time", "same-day"},
    ),
    "what a zone proves goes with it": (
        [
            zone("first", "y", "高", before(5)), zone("second", "z", "高", before(3)), notice("later", "区域核酸", LAST_KEPT),
            taken("same-day", before(5), "a"), taken("day-before", before(6), "b"),
        ],
        {"first", "second", "later", "same-day"},
    ),
    "without any event a sample proves nothing": ([taken("sample", GONE, "a")], set()),
    "an end of an outbreak is no event": (
        [notice("end", "疫情结束", LAST_KEPT), taken("sample", before(1), "a")], {"end"},
    ),
    "a sample of the first day of a stay proves it: arrival": (
        [
            ("arrivals", "stay", {"left_date": before(9), "entry_date": before(7), "arrival_date": before(5), **STANDS}),
            release("r", "arrivals:stay", LAST_KEPT), taken("first", before(9), "p"), taken("too-early", before(10), "p"), *NEWER,
        ],
        {"stay", "r", "first"} | NEW,
    ),
    "a sample of the first day of a stay proves it: referral": (
        [
            ("referrals", "stay", {"last_exposure_date": before(9), "handed_down_at": before(5), **STANDS}),
            release("r", "referrals:stay", LAST_KEPT), taken("first", before(9), "p"), taken("too-early", before(10), "p"), *NEWER,
        ],
        {"stay", "r", "first"} | NEW,
    ),
    "a sample of the first day of a stay proves it: roster": (
        [
            member("stay", before(5), LAST_KEPT, anchor_date=before(9), **STANDS),
            taken("first", before(9), "p"), taken("too-early", before(10), "p"), *NEWER,
        ],
        {"stay", "first"} | NEW,
    ),
    "a release and an answer stay as long as the person's records": (
        [
            member("N-over", before(60), id_number="N", **STANDS), member("open", before(30), **STANDS),
            ("releases", "r", {"record_key": "N-over", "release_type": "全部管控", "release_date": GONE, "id_number": "N", **STANDS}),
            ("dispositions", "answer", {"item_key": "p-over/1/rolling", "handled_at": GONE}),
            ("dispositions", "of-another", {"item_key": "N-over/1/rolling", "handled_at": GONE}),
        ],
        {"N-over", "open", "r", "answer"},
    ),
    "the last report of each stays": (
        [
            *(("supplies", f"{of}-{n}", {"supply_key": of, "reported_on": before(n)}) for of, n in (("A", 9), ("A", 0), ("B", 5))),
            *(("isolation_sites", f"{of}-{n}", {"site_key": of, "reported_on": before(n)}) for of, n in (("X", 9), ("X", 0), ("Y", 5))),
            *(
                ("drills", f"{kind}{article}-{n}", {"drill_type": kind, "article": article, "held_on": before(n)})
                for kind, article, n in (("演练", None, 9), ("演练", None, 0), ("演练", "9", 3), ("培训", None, 5))
            ),
        ],
        {"A-0", "B-5", "X-0", "Y-5", "演练None-0", "演练9-3", "培训None-5"},
    ),
    "the two newest valid samples of a person on a list stay": (
        [
            member("stay", before(60), **STANDS), taken("third", before(9), "p"), taken("second", before(8), "p"),
            ("test_results", "void", {"sampled_at": before(7), "result": "无效", **STANDS}), taken("first", before(6), "p"),
        ],
        {"stay", "second", "first"},
    ),
    "evidence stays from the day on which a record begins": (
        [
            member("stay", before(5), **STANDS),
            *(("exemptions", f"exempt-{n}", {"end_date": before(n), **STANDS}) for n in (5, 6)),
            *(("health_checks", f"check-{n}", {"measured_at": before(n), **STANDS}) for n in (5, 6)),
            *(("guests", f"guest-{n}", {"checked_in_at": before(n), **STANDS}) for n in (5, 6)),
        ],
        {"stay", "exempt-5", "check-5", "guest-5"},
    ),
    "a disinfection stays with its zone or its case": (
        [
            zone("notice", "z", "高", before(9)), ("cases", "case", {"sample_date": before(9)}),
            ("disinfections", "of-zone", {"started_at": GONE, "zone_key": "z"}),
            ("disinfections", "of-case", {"started_at": GONE, "case_key": "case"}),
            ("disinfections", "of-none", {"started_at": GONE, "zone_key": "y"}),
        ],
        {"notice", "case", "of-zone", "of-case"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("rows", "kept"), CASES.values(), ids=CASES)
def test_what_stays(conn: psycopg.Connection, rows: Rows, kept: set[str]) -> None:
    assert stay(conn, rows) == kept


def put_open(conn: psycopg.Connection, mart: str, **cells: Any) -> int:
    """Put a row into the current publication; return the publication's id."""
    ((publication_id,),) = conn.execute("select publication_id from published.current").fetchall()
    partition = f"published.{mart}_p{publication_id}"
    needed = "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 and attnotnull and attname <> 'publication_id'"
    for (column,) in conn.execute(needed, (partition,)).fetchall():
        conn.execute(f"alter table {partition} alter column {column} drop not null")  # type: ignore[arg-type]
    metadata.put(conn, partition, publication_id=publication_id, **cells)
    return int(publication_id)


@pytest.mark.parametrize(
    ("mart", "cells"),
    [
        ("obligation", {"status": "upcoming"}), ("control", {"status": "due", "released_on": None}), ("zone_blocker", {}),
        ("positive_followup", {"status": "overdue"}), ("pool_followup", {"status": "waiting", "tube_no": "T"}),
    ],
)  # fmt: skip
def test_who_has_something_open_stays(conn: psycopg.Connection, mart: str, cells: dict[str, Any]) -> None:
    """A row of the current publication keeps the person's record, which is over."""
    publication_id = put_open(conn, mart, person_key="open", **cells)
    rows = [member("open", before(60), GONE), member("other", before(60), GONE)]
    assert stay(conn, rows, publication_id) == {"open"}


@pytest.mark.parametrize(
    ("mart", "cells", "rows"),
    [
        ("control", {"status": "due", "released_on": GONE, "person_key": "open"}, [member("open", before(60), GONE)]),
        ("control", {"status": "infected", "person_key": "open"}, [member("open", before(60), GONE)]),
        ("obligation", {"status": "missed", "person_key": "open"}, [member("open", before(60), GONE)]),
    ],
)  # fmt: skip
def test_what_is_not_open_keeps_nobody(conn: psycopg.Connection, mart: str, cells: dict[str, Any], rows: Rows) -> None:
    assert stay(conn, rows, put_open(conn, mart, **cells)) == set()


OPEN_ITEMS: dict[str, tuple[str, dict[str, Any], Rows, set[str]]] = {
    "a positive person's samples, from the day of the sample": (
        "positive_followup",
        {"status": "waiting", "person_key": "p", "sampled_at": before(3, "23:00"), "due_at": before(2, "01:00")},
        [taken("of-the-day", before(3), "p"), taken("before", before(4), "p")], {"of-the-day"},
    ),
    "the samples of a tube": (
        "pool_followup", {"status": "overdue", "person_key": "x", "tube_no": "T"},
        [("test_results", "in-tube", {"sampled_at": GONE, "tube_no": "T"}), taken("other", GONE, "p")], {"in-tube"},
    ),
    "the answer about an item that is still listed": (
        "disposition", {"item_id": "I-1"},
        [("dispositions", "listed", {"item_key": "I-1", "handled_at": GONE}), ("dispositions", "not", {"item_key": "I-2", "handled_at": GONE})],
        {"listed"},
    ),
    "a finding": (
        "inspection_followup", {"status": "overdue", "inspection_id": "open"},
        [("inspections", "open", {"inspected_at": GONE}), ("inspections", "passed", {"inspected_at": GONE})], {"open"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("mart", "cells", "rows", "kept"), OPEN_ITEMS.values(), ids=OPEN_ITEMS)
def test_what_an_open_item_needs_stays(
    conn: psycopg.Connection, mart: str, cells: dict[str, Any], rows: Rows, kept: set[str]
) -> None:
    assert stay(conn, rows, put_open(conn, mart, **cells)) == kept


def test_a_sample_of_the_same_number_is_not_another_persons(conn: psycopg.Connection) -> None:
    rows = [
        member("stay", before(60), **STANDS),
        *(
            ("test_results", "same", {"sampled_at": GONE, "result": "阴性", "id_number": person, "person_key": person})
            for person in "pq"
        ),
    ]
    assert stay(conn, rows) == {"stay", "same"}  # type: ignore[arg-type]
    assert conn.execute("select person_key from staging.test_results").fetchall() == [("p",)]


def test_changes_of_samples_wait_for_the_slowest_reader(conn: psycopg.Connection) -> None:
    """A change goes when both kept models have read it and it was published."""
    conn.execute("truncate staging.sample_change")
    conn.execute(
        "insert into staging.sample_change (change_id, file_id, sample_key) overriding system value"
        " select number, 0, 'x' from generate_series(1, 9) as number"
    )
    conn.execute("update published.publication set last_change_id = 6")
    for slowest, left in ((5, 6), (8, 7)):
        conn.execute(
            "update intermediate.increment_progress set change_id = case when model like '%%by_day' then %s else 9 end",
            (slowest,),
        )
        retention._forget_changes(conn)
        assert conn.execute("select min(change_id) from staging.sample_change").fetchone() == (left,)


def test_the_day_of_a_moment_is_that_of_shanghai(conn: psycopg.Connection) -> None:
    """The first moment of the last day that stays, and the moment before it, in a session of another time zone."""
    conn.execute("set local time zone 'UTC'")
    conn.execute(
        "truncate quality.rejected_row, quality.contradiction, portal.sending, portal.correction, delivery.attempt cascade"
    )
    ((file_id,),) = conn.execute("select max(file_id) from quality.landed_file").fetchall()
    lines = count(2)
    for name, moment in (("kept", f"{LAST_KEPT} 00:00+08"), ("gone", f"{GONE} 23:59:59+08")):
        metadata.put(
            conn, "quality.rejected_row", file_id=file_id, feed="requests", file_name="x", line=next(lines), sender=name,
            record_key="key", reason_codes=["bad_code"], reason="x", raw_text="row", cells="{}", typed="{}", rejected_at=moment,
        )  # fmt: skip
        metadata.put(
            conn, "quality.contradiction", file_id=file_id, line=next(lines), feed="requests", record_key=name,
            other_file_id=file_id, other_line=2, columns=["x"], found_at=moment,
        )  # fmt: skip
        metadata.put(
            conn, "portal.sending", login=name, sender=name, feed="requests", suffix="", size_bytes=1, sent_at=moment
        )
        metadata.put(
            conn, "staging.document_correction", id_type="护照", id_number=name, person_key=name, right_id_type="护照",
            right_id_number="right", declared_at=moment,
        )  # fmt: skip
        for official, state, moments in (
            ("sent", "sent", {"not_before": "2000-01-01", "ended_at": moment}), ("shared", "shared", {"not_before": moment}),
        ):  # fmt: skip
            metadata.put(
                conn, "delivery.attempt", what="absence", occasion=name, official=official, channel="mail", number=1,
                target="one@example.org", reference="<1@example.org>", audience_kind="office", audience="", state=state, **moments,
            )  # fmt: skip
    metadata.put(conn, "delivery.attempt", what="absence", official="waits", channel="mail", number=1, target="two@example.org",
                 audience_kind="office", audience="", state="planned", not_before="2000-01-01")  # fmt: skip
    conn.execute("insert into portal.sent_file (sending_id, content) select sending_id, 'x' from portal.sending")
    conn.execute("alter table portal.correction disable trigger user")
    conn.execute(
        """
        insert into portal.correction (rejected_id, feed, sender, content, reason, login, name)
        select rejected_id, feed, sender, 'x', 'x', 'clerk', '经办' from quality.rejected_row
        """
    )

    before = dict.fromkeys(("rejected_row", "document_correction", "pulled", "delivery_addresses"), LAST_KEPT)
    done = [
        *retention._rejected(conn, before),
        *retention._corrections(conn, before),
        retention._delete_sent(conn, before),
    ]
    done += retention._addresses(conn, before)
    assert {deletion.what: (deletion.rows, deletion.rows_kept) for deletion in done} == {
        "rejected_row": (2, 0), "portal_correction": (1, 0), "document_correction": (1, 0), "portal_sent_file": (1, 0),
        "delivery_addresses": (2, 0),
    }  # fmt: skip
    for query in (
        "select sender from quality.rejected_row where coalesce(nullif(raw_text, ''), record_key, cells::text, typed::text) is not null",
        "select record_key from quality.contradiction where record_key is not null",
        "select sender from portal.correction",
        "select id_number from staging.document_correction",
        "select login from portal.sending inner join portal.sent_file using (sending_id)",
        "select distinct occasion from delivery.attempt where target like '%@%' and official <> 'waits'",
        "select distinct occasion from delivery.attempt where reference is not null",
    ):
        assert conn.execute(query).fetchall() == [("kept",)], query  # type: ignore[arg-type]
    waits = conn.execute("select target from delivery.attempt where official = 'waits'").fetchone()
    assert waits == ("two@example.org",)
    assert [deletion.rows for deletion in retention._addresses(conn, before)] == [0], "the address went already"


def test_a_correction_stays_with_a_row_of_either_document(conn: psycopg.Connection) -> None:
    for number in ("wrong", "right", "none"):
        metadata.put(
            conn, "staging.document_correction", id_type="护照", id_number=number, person_key=number, right_id_type="护照",
            right_id_number=f"of-{number}", declared_at=f"{GONE} 12:00+08",
        )  # fmt: skip
    for line, number in enumerate(("wrong", "of-right"), 2):
        metadata.put(
            conn, "staging.residents", file_id=0, line=line, id_type="护照", id_number=number, person_key=number
        )
    [deletion] = retention._corrections(conn, {"document_correction": LAST_KEPT})
    assert (deletion.rows, deletion.rows_kept) == (1, 2)
    left = conn.execute("select id_number from staging.document_correction order by 1").fetchall()
    assert left == [("right",), ("wrong",)]


class Uncommitted:
    """A connection whose commits do nothing, so that the test can take everything back."""

    def __init__(self, conn: psycopg.Connection) -> None:
        self._conn = conn

    def __getattr__(self, name: str) -> Any:
        return getattr(self._conn, name)

    def commit(self) -> None:
        pass


def test_rows_of_persons_go_with_their_publication_unless_it_is_the_current_one(conn: psycopg.Connection) -> None:
    """The rows of a mart that is no longer made go too; figures stay."""
    conn.execute(
        "create table published.former (publication_id bigint, person_key text) partition by list (publication_id)"
    )
    for number, day in {9001: GONE, 9002: LAST_KEPT, 9003: GONE}.items():
        metadata.put(
            conn, "published.publication", publication_id=number, as_of_date=day, policy_edition="9", quality_status="passed",
            checks_run=1, checks_failed=0, input_files=1, input_rows=1, code_version="test", run_key=str(number),
        )  # fmt: skip
        for mart in ("former", "compliance_daily"):
            partition = f"published.{mart}_p{number}"
            conn.execute(f"create table {partition} partition of published.{mart} for values in ({number})")  # type: ignore[arg-type]
    conn.execute("insert into published.former values (9001, 'somebody')")
    [deletion] = retention._published(Uncommitted(conn), {"published_persons": LAST_KEPT}, 9003)  # type: ignore[arg-type]
    assert (deletion.what, deletion.rows) == ("published.former", 1)
    left = conn.execute(
        "select relname from pg_class where relname ~ '_p900\\d$' and relkind = 'r' order by 1"
    ).fetchall()
    assert [name for (name,) in left] == [
        "compliance_daily_p9001", "compliance_daily_p9002", "compliance_daily_p9003", "former_p9002", "former_p9003",
    ]  # fmt: skip
    recorded = "select what, before_date, rows_deleted from quality.deletion order by deletion_id desc limit 1"
    assert conn.execute(recorded).fetchone() == ("published.former", LAST_KEPT, 1)
