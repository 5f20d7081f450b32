"""The contracts of columns: what a schema takes landing takes, and what a column cannot hold the schema refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema
import polars as pl
import pytest

from yingjian.landing import check, schema, templates
from yingjian.landing.feeds import FEEDS, Column, Feed


def row(feed: Feed) -> dict[str, Any]:
    """The example row of the template; a number is one."""
    return {
        column.source: json.loads(text) if column.kind == "number" and text else text
        for column in feed.columns
        for text in [templates.example(column, feed)]
    }


def validator(feed: Feed) -> Any:
    return jsonschema.Draft202012Validator(schema.schema(feed))


def is_valid(feed: Feed, cells: dict[str, Any]) -> bool:
    return bool(validator(feed).is_valid(cells))


def refused(feed: Feed, rows: list[dict[str, Any]]) -> list[bool]:
    """Whether landing refuses each of these rows."""
    raw = pl.DataFrame(
        {column.name: [str(row.get(column.source, "")) or None for row in rows] for column in feed.columns},
        schema={column.name: pl.String for column in feed.columns},
    )
    return check.type_and_check(raw, feed, datetime(2022, 7, 9)).is_bad.to_list()


@pytest.mark.parametrize("feed", FEEDS.values(), ids=FEEDS)
def test_the_example_row_is_valid(feed: Feed) -> None:
    jsonschema.Draft202012Validator.check_schema(schema.schema(feed))
    assert is_valid(feed, row(feed)) and refused(feed, [row(feed)]) == [False]
    assert list(schema.schema(feed)["properties"]) == [column.source for column in feed.columns]


def wrong_cells(column: Column) -> list[Any]:
    wrong: list[Any] = [""] if column.required else []
    match column.kind:
        case "date":
            return [*wrong, "2022-13-01", "随便"]
        case "time":
            return [*wrong, "2022-07-01 25:00:00", "随便"]
        case "number":
            return [*wrong, column.low - 1, column.high + 1, "若干"] + ([column.low + 0.5] if column.is_whole else [])
        case "code" | "group" | "id_type":
            return [*wrong, "没有的代码"]
        case "id_number":
            return [*wrong, "1.2E+17", "号码"]
        case "tests":
            return [*wrong, "按要求"]
    wrong += ["长" * (column.max_characters + 1)]
    if column.is_key or column.is_phone:
        wrong.append("2.02207E+13")
    return [*wrong, "网格13800000000"] if column.is_name else wrong


@pytest.mark.parametrize("feed", FEEDS.values(), ids=FEEDS)
def test_a_cell_that_a_column_cannot_hold_is_refused_by_both(feed: Feed) -> None:
    example, valid = row(feed), validator(feed).is_valid
    wrong = [(column.source, cell) for column in feed.columns for cell in wrong_cells(column)]
    rows = [example | {source: cell} for source, cell in wrong]
    assert [cell for cell, cells in zip(wrong, rows, strict=True) if valid(cells)] == []
    assert [cell for cell, is_bad in zip(wrong, refused(feed, rows), strict=True) if not is_bad] == []
    for column in feed.columns:
        assert valid(example | {column.source: ""}) is not templates.is_needed(column, feed)


def test_a_missing_column_is_refused_unless_older_files_lack_it() -> None:
    for feed in FEEDS.values():
        for column in feed.columns:
            lacking = {source: cell for source, cell in row(feed).items() if source != column.source}
            assert is_valid(feed, lacking) is column.may_be_absent


def test_every_feed_has_a_file(tmp_path: Path) -> None:
    paths = schema.write_schemas(tmp_path / "schemas")
    assert [path.name for path in paths] == [f"{name}.schema.json" for name in FEEDS]
    assert [json.loads(path.read_text(encoding="utf-8"))["title"] for path in paths] == [
        f.title for f in FEEDS.values()
    ]


def test_a_key_that_is_a_name_has_the_limits_of_both() -> None:
    """A place is a name, and the key of what comes from it once a day."""
    place = replace(FEEDS["test_results"].column("sampling_point"), is_key=True)
    limits = jsonschema.Draft202012Validator(schema._limits(place))
    assert place.is_name and limits.is_valid("东门泵站")
    for wrong in ("网格13800000000", "1.38E+10"):
        assert not limits.is_valid(wrong)
