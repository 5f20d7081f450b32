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
    "pharmacy_purchases": "purchase_key", "releases": "release_key",
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


@pytest.mark.parametrize(
    ("mart", "cells"),
    [
        ("obligation", {"status": "upcoming"}), ("control", {"status": "due", "released_on": None}), ("zone_blocker", {}),
        ("positive_followup", {"status": "overdue"}), ("pool_followup", {"status": "waiting", "tube_no": "T"}),
    ],
)  # fmt: skip
def test_who_has_something_open_stays(conn: psycopg.Connection, mart: str, cells: dict[str, Any]) -> None:
    """A row of the current publication keeps the person's record, which is over."""
    ((publication_id,),) = conn.execute("select publication_id from published.current").fetchall()
    partition = f"published.{mart}_p{publication_id}"
    needed = "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 and attnotnull and attname <> 'publication_id'"
    for (column,) in conn.execute(needed, (partition,)).fetchall():
        conn.execute(f"alter table {partition} alter column {column} drop not null")  # type: ignore[arg-type]
    metadata.put(conn, partition, publication_id=publication_id, person_key="open", **cells)
    rows = [member("open", before(60), GONE), member("other", before(60), GONE)]
    assert stay(conn, rows, publication_id) == {"open"}


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
