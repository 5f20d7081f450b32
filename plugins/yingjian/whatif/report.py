"""This module writes the difference as a page and a workbook, in Chinese, below `reports/whatif` of the home."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from yingjian.clock import SHANGHAI
from yingjian.reports.content import text
from yingjian.reports.render.atomic_file import write_whole
from yingjian.reports.render.workbook import Book
from yingjian.whatif.difference import DIMENSIONS, Difference, Pair, Row
from yingjian.whatif.draft import Draft

COUNTS = ("未来七天应检", "逾期未检", "管控中人数")


def write(folder: Path, draft: Draft, day: date, difference: Difference) -> tuple[Path, Path]:
    """Write page and workbook; returns their paths. A later run for the same draft and date replaces them."""
    name = f"{day}-{re.sub(r'[^A-Za-z0-9._-]+', '_', draft.edition_code)[:60]}"
    folder.mkdir(parents=True, exist_ok=True)
    page, book = folder / f"{name}.html", folder / f"{name}.xlsx"
    written_at = datetime.now(SHANGHAI).replace(tzinfo=None, microsecond=0)
    html = render(draft, day, difference, written_at)
    write_whole(page, lambda path: path.write_text(html, encoding="utf-8"))
    write_whole(book, partial(_write_book, draft=draft, day=day, difference=difference, written_at=written_at))
    return page, book


def counts(row: Row) -> tuple[Pair, ...]:
    """Return the counts of a row in the order of COUNTS."""
    return row.week, row.overdue, row.in_control


def render(draft: Draft, day: date, difference: Difference, written_at: datetime) -> str:
    """Return the page as HTML; every value is escaped."""
    return (
        _environment()
        .get_template("whatif.html.j2")
        .render(
            draft=draft,
            day=day,
            difference=difference,
            written_at=written_at,
            dimensions=DIMENSIONS,
            count_names=COUNTS,
            counts=counts,
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("yingjian.whatif"), PackageLoader("yingjian.reports.render")]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        auto_reload=False,
    )
    environment.filters |= {name: getattr(text, name) for name in ("number", "day", "full_day", "short_day", "change")}
    return environment


def _write_book(path: Path, draft: Draft, day: date, difference: Difference, written_at: datetime) -> None:
    book = Book(path, written_at)
    book.book.set_properties({"title": "方案改动测算", "created": written_at})
    columns = [f"{name}{when}" for name in COUNTS for when in ("（现行）", "（草案）", "（增减）")]
    facts: Sequence[tuple[str, Any]] = (
        ("草案", draft.edition_code), ("标题", draft.title), ("草案生效", draft.effective_from), ("业务日期", day),
        ("改动的种子", "、".join(draft.seeds)), ("测算时间", written_at),
    )  # fmt: skip
    book.sheet("说明", ("项目", "内容"), facts)
    book.sheet("汇总", ("范围", *columns), [(difference.town.name, *_cells(counts(difference.town)))])
    for dimension, title in DIMENSIONS.items():
        book.sheet(
            f"按{title}", (title, *columns), ((row.name, *_cells(counts(row))) for row in difference.rows[dimension])
        )
    every = [
        ("全街道", difference.town),
        *((title, row) for key, title in DIMENSIONS.items() for row in difference.rows[key]),
    ]
    book.sheet(
        "每日应检",
        ("范围", "名称", "日期", "现行", "草案", "增减"),
        (
            (title, row.name, on, pair.before, pair.after, pair.change)
            for title, row in every
            for on, pair in zip(difference.days, row.days, strict=True)
        ),
    )
    book.sheet(
        "风险区",
        ("风险区", "等级", "现行内容", "草案内容"),
        ((zone.name, zone.level, zone.before, zone.after) for zone in difference.zones),
    )
    book.book.close()


def _cells(pairs: Sequence[Pair]) -> list[int]:
    return [value for pair in pairs for value in (pair.before, pair.after, pair.change)]
