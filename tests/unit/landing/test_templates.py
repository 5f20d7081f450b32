"""Templates for senders: each feed has one, whose example row shows what landing takes, and is itself no record."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import openpyxl
import pytest

from yingjian.landing import check, templates
from yingjian.landing.feeds import FEEDS, Feed
from yingjian.landing.readers.table import open_table


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    written = templates.write_templates(tmp_path_factory.mktemp("out") / "templates")
    assert [path.name for path in written] == [f"{feed.name}-{feed.title}.xlsx" for feed in FEEDS.values()]
    return dict(zip(FEEDS, written, strict=True))


@pytest.mark.parametrize("feed", FEEDS.values(), ids=FEEDS)
def test_the_example_row_is_a_good_one(paths: dict[str, Path], feed: Feed, tmp_path: Path) -> None:
    book = openpyxl.load_workbook(paths[feed.name])
    sheet = book[templates.DATA]
    row = [cell.value for cell in sheet[2]]
    place = [column.name for column in feed.columns].index("updated_at")
    sheet.append([*row[:place], "2022-07-08 20:00:01", *row[place + 1 :]])
    book.save(tmp_path / "filled.xlsx")
    table = open_table(tmp_path / "filled.xlsx", feed)
    [chunk] = table.chunks
    assert chunk.lines.to_list() == [3], "the example that nobody deleted is left out"
    assert (chunk.rows, chunk.cells.height, table.layout.width) == (1, 1, len(feed.columns))
    checked = check.type_and_check(chunk.cells, feed, datetime(2022, 7, 9))
    assert checked.reasons.rows() == []
    empty = [column.source for column in feed.columns if not chunk.cells[column.name][0]]
    assert empty == [column.source for column in feed.columns if column.may_be_absent]


@pytest.mark.parametrize("feed", FEEDS.values(), ids=FEEDS)
def test_every_column_is_text_and_offers_its_codes(paths: dict[str, Path], feed: Feed) -> None:
    book = openpyxl.load_workbook(paths[feed.name])
    sheet = book[templates.DATA]
    assert [cell.value for cell in sheet[1]] == [column.source for column in feed.columns]
    assert {cell.number_format for cell in sheet[2]} == {"@"}
    ranges = sheet.column_dimensions.values()
    assert sum(of.max - of.min + 1 for of in ranges if of.number_format == "@") == len(feed.columns)
    offered = {
        str(rule.sqref).split(":")[0]: rule.formula1.strip('"') for rule in sheet.data_validations.dataValidation
    }
    assert offered == {
        cell.coordinate: ",".join(codes)
        for cell, column in zip(sheet[2], feed.columns, strict=True) if (codes := templates.options(column))
    }  # fmt: skip


@pytest.mark.parametrize("feed", FEEDS.values(), ids=FEEDS)
def test_the_guide_says_what_each_column_must_be(paths: dict[str, Path], feed: Feed) -> None:
    rows = list(openpyxl.load_workbook(paths[feed.name])[templates.GUIDE].iter_rows(min_row=4, values_only=True))
    assert [row[0] for row in rows] == [column.source for column in feed.columns]
    assert all(row[1] in ("必填", "可空") and row[2] for row in rows)


def test_the_guide_is_the_declaration() -> None:
    feed = FEEDS["test_results"]
    assert templates.requirement(feed.column("tested_at"), feed).endswith("不得晚于报送时间；不早于采样时间")
    assert "最多100字" in templates.requirement(feed.column("laboratory"), feed)
    site = FEEDS["isolation_sites"]
    assert templates.requirement(site.column("rooms"), site) == "数字；0至100,000的整数"
    assert "与日期一起标识一条记录" in templates.requirement(site.column("site_key"), site)
