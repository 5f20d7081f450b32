"""Dates before the first edition of the policy, mistyped or not: each is judged by the first edition, none breaks a build."""

from __future__ import annotations

from pathlib import Path

import pytest
from psycopg import sql

from tests import support
from tests.conftest import WORLD_DAY, HomeFactory
from yingjian.database import warehouse
from yingjian.landing.feeds import FEEDS, Feed
from yingjian.settings import Settings

pytestmark = pytest.mark.slow

TAKEN = ("2012-07-03", "1899-12-31", "1880-01-01")
REFUSED = "1879-12-31"  # Landing takes no earlier year: the row goes into quarantine.


def kinds_of_rows(settings: Settings, feed: Feed) -> list[dict[str, str]]:
    """One row of each group and code that the town has in a feed, with as many dates as any of them: header text -> cell."""
    kinds = [column.name for column in feed.columns if column.kind in ("code", "group")] or ["file_id"]
    dates = [column.name for column in feed.columns if column.kind in ("date", "time")]
    with warehouse.connect(settings) as conn:
        rows = conn.execute(
            sql.SQL(
                "select distinct on ({kinds}) {columns} from staging.{feed} order by {kinds}, num_nulls({dates})"
            ).format(
                kinds=sql.SQL(", ").join(map(sql.Identifier, kinds)),
                columns=sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(c.name)) for c in feed.columns),
                feed=sql.Identifier(feed.name),
                dates=sql.SQL(", ").join(map(sql.Identifier, dates)),
            )
        ).fetchall()
    return [{c.source: cell or "" for c, cell in zip(feed.columns, row, strict=True)} for row in rows]


def with_old_dates(feed: Feed, rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Each row once more for each date that it has and each old date, as a record of its own; and with all dates old.

    A record whose key is a document number stays the same record: the last line counts, which has all dates old.
    """
    dates = [column for column in feed.columns if column.kind in ("date", "time")]
    columns = [[column] for column in dates] + [[column for column in dates if column.name != "updated_at"]]
    old = []
    for row in rows:
        for place, changed in enumerate(columns):
            for day in (*TAKEN, REFUSED):
                cells = {column.source: day + " 08:00:00" * (column.kind == "time") for column in changed}
                keys = {
                    column.source: f"{row[column.source]}-{len(old)}-{place}"
                    for column in feed.columns
                    if column.name in feed.key and column.kind == "text"
                }
                old.append(row | keys | {source: cell for source, cell in cells.items() if row[source]})
    return old


def is_out_of_order(feed: Feed, row: dict[str, str]) -> bool:
    """An end that became old lies before its start, which landing refuses."""
    pairs = [(row[feed.column(later).source], row[feed.column(earlier).source]) for later, earlier in feed.order]
    return any(later and earlier and later < earlier for later, earlier in pairs)


@pytest.fixture(scope="module")
def town(home_factory: HomeFactory, landed_town: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = home_factory("old_dates", landed_town)
    folder: Path = tmp_path_factory.mktemp("landing")
    refused = 0
    for feed in FEEDS.values():
        rows = with_old_dates(feed, kinds_of_rows(settings, feed))
        refused += sum(
            any(cell.startswith(REFUSED) for cell in row.values()) or is_out_of_order(feed, row) for row in rows
        )
        support.write_feed(folder, feed.name, rows)
    summary = support.land_folder(settings, folder)
    assert summary.rows_rejected == refused and summary.rows_staged > 500
    return settings


def test_a_day_with_old_dates_in_every_feed_is_published(town: Settings) -> None:
    publication = support.run_day(town, WORLD_DAY)
    assert support.query(town, "select publication_id from reporting.publication") == [(publication,)]
    for feed in FEEDS.values():
        for column in feed.columns:
            if column.kind in ("date", "time") and column.name != "updated_at":
                query = f"select count({column.name}), min({column.name}) < '1881-01-01' from staging.{feed.name}"
                [(values, is_old)] = support.query(town, query)
                assert is_old or not values, f"{feed.name}.{column.name}"


@pytest.mark.beyond
def test_an_old_anchor_is_judged_by_the_first_edition(town: Settings) -> None:
    support.build(town, WORLD_DAY, "+int_membership__unified")
    rows = support.query(
        town,
        """
        select anchor_date::text, rule_text is not null, count(*) > 0 from intermediate.int_membership__unified
        where anchor_date < '2020-01-01' group by 1, 2 order by 1
        """,
    )
    assert rows == [(day, True, True) for day in sorted(TAKEN)]
