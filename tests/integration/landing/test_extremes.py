"""Everything takes what landing takes: a day with the largest and oddest value of every column is published.

One row never stops the day of everybody (docs/feeds.md).
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests import support
from tests.conftest import WORLD_DAY, HomeFactory
from tests.integration.landing.test_old_dates import kinds_of_rows
from yingjian.clock import SHANGHAI
from yingjian.database import warehouse
from yingjian.landing.feeds import FEEDS, Column, Feed
from yingjian.reports.packs import write_report
from yingjian.settings import Settings

WIDE = "𠮷"  # This character takes four bytes in UTF-8.
ODD = "a'b\"c\\d%s{0}{{x}}$1</script>&#0;\t,；"
LIST = "、".join(map(str, range(1, 36)))
TOMORROW = f"{datetime.now(SHANGHAI) + timedelta(hours=23):%Y-%m-%d %H:%M:%S}"


def extremes(column: Column) -> list[str]:
    """The largest, the smallest and the oddest cells that the column may hold."""
    match column.kind:
        case "text" | "place" | "places":
            return [WIDE * column.max_characters, ODD[: column.max_characters], "%", "0"]
        case "number":
            return [f"{column.low:.0f}", f"{column.high:.0f}"] + (
                [] if column.is_whole else [f"{column.low + 0.12345678901}"]
            )
        case "date":
            return ["1880-01-01", "9999-12-31", "9999-12-30", "2022-07-20"]
        case "time" if column.name == "sampled_at":
            return ["1880-01-01 00:00:00", f"{datetime.now(SHANGHAI) - timedelta(minutes=5):%Y-%m-%d %H:%M:%S}"]
        case "time":
            return ["1880-01-01 00:00:00", TOMORROW if column.is_past else "9999-12-31 23:59:59", "2022-07-20 23:59:59"]
        case "frequency":
            return ["999天999检", "99周999检", "1天999检", "每日", WIDE * column.max_characters]
        case "tests":
            return ["999天999检", "99周999检", "每天", "第99天", f"第{LIST}天"]
    return list(column.codes)


def extreme_rows(feed: Feed, rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Each row of the town once more for each column and each extreme of it, as a record of its own where it can be.

    And once with the person's document number as its key, as some senders number their records.
    """
    rows_made = []
    for row in rows:
        if feed.has_person and "id_number" not in feed.key:
            own_keys = [key.source for key in feed.columns if key.name in feed.key and key.is_key]
            rows_made.append(row | dict.fromkeys(own_keys, row["证件号码"]))
        for column in feed.columns:
            for cell in extremes(column):
                keys = {
                    key.source: f"{row[key.source]}-X{len(rows_made)}"
                    for key in feed.columns
                    if key.name in feed.key and key.kind == "text" and key != column
                } or {"证件类型": "护照", "证件号码": f"X{len(rows_made):08d}"}
                rows_made.append(row | keys | {column.source: cell})
                if column.kind in ("date", "time"):
                    # The times that would be out of order go.
                    pairs = {c.source for pair in feed.order if column.name in pair for c in map(feed.column, pair)}
                    others = {s: "" for s in pairs if s != column.source and not feed_column(feed, s).required}
                    rows_made.append(
                        rows_made[-1] | {s: f"{text}Y" for s, text in keys.items() if s != "证件类型"} | others
                    )
    return rows_made


def feed_column(feed: Feed, source: str) -> Column:
    return next(column for column in feed.columns if column.source == source)


@pytest.fixture(scope="module")
def town(home_factory: HomeFactory, landed_town: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = home_factory("extremes", landed_town)
    folder: Path = tmp_path_factory.mktemp("landing")
    for feed in FEEDS.values():
        support.write_feed(folder, feed.name, extreme_rows(feed, kinds_of_rows(settings, feed)[:12]))
    summary = support.land_folder(settings, folder)
    assert summary.files_rejected == 0 and summary.rows_staged > 3_000
    return settings


@pytest.mark.parametrize("feed", FEEDS.values(), ids=FEEDS)
def test_the_extremes_were_staged(town: Settings, feed: Feed) -> None:
    for column in feed.columns:
        if column.kind in ("text", "place", "places", "frequency") and not column.is_key:
            longest = f"select max(length({column.name})) from staging.{feed.name}"
            assert support.query(town, longest) == [(column.max_characters,)], column.source
        if column.kind == "number":
            most = (
                f"select min({column.name}) = {column.low}, max({column.name}) = {column.high} from staging.{feed.name}"
            )
            assert support.query(town, most) == [(True, True)], column.source
        is_before = any(column.name == earlier and feed.column(later).required for later, earlier in feed.order)
        if column.kind == "date" and column.name not in feed.key and not is_before:
            last = f"select max({column.name})::text from staging.{feed.name}"
            assert support.query(town, last) == [("9999-12-31",)], column.source


@pytest.mark.slow
def test_a_day_with_them_is_published_and_shown(town: Settings, tmp_path: Path) -> None:
    publication = support.run_day(town, WORLD_DAY)
    assert support.query(town, "select publication_id from reporting.publication") == [(publication,)]
    with warehouse.connect(town, "reporter") as conn:
        assert write_report(conn, publication, tmp_path)
    numbers = {number for (number,) in support.query(town, "select id_number from staging.residents")}
    with warehouse.connect(town, "bi_reader") as conn:
        views = conn.execute(
            "select format('%I.%I', schemaname, viewname) from pg_views where schemaname ~ '^reporting'"
        ).fetchall()
        texts = {view: [text for (text,) in conn.execute(f"select t::text from {view} as t")] for (view,) in views}
    assert sum(map(len, texts.values())) > 3_000
    shown = {view for view, rows in texts.items() if numbers & set(re.findall(r"(?<!\d)\d{17}[\dX]", "\n".join(rows)))}
    assert not shown, "a document number that was sent as the key of a record is not shown"
