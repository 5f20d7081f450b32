"""Dry run for a sender's file: the same reader and checks as landing's, but nothing is written."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import polars as pl

from yingjian.landing import archives, check, returns
from yingjian.landing.errors import FileRejectedError
from yingjian.landing.feeds import Feed
from yingjian.landing.readers.table import open_table
from yingjian.landing.stage_table import rejected_rows, require_unchanged_meaning
from yingjian.landing.store import Rejected


@dataclass(frozen=True)
class Trial:
    """The outcome of a dry run.

    taken: number of rows that landing would accept; refused: the others, by line; problem: why the whole file would be
    rejected, in Chinese, else empty.
    """

    taken: int = 0
    refused: list[Rejected] = field(default_factory=list, repr=False)
    problem: str = ""


def try_file(path: Path, feed: Feed, name: str, sender: str, received_at: datetime) -> Trial:
    """Check a sender's file without writing it. A file with valid rows of another sender is rejected whole.

    name: how messages refer to the file; received_at: by the clock of the home, Asia/Shanghai.
    """
    taken = rows = 0
    refused: list[Rejected] = []
    failures: Counter[str] = Counter()
    own = returns.names_of(sender)
    try:
        if archives.is_archive(path):
            return Trial(problem="这是压缩包，请解压后逐个报送其中的表格")
        for chunk in open_table(path, feed).chunks:
            rows += chunk.rows
            checked = check.type_and_check(chunk.cells, feed, received_at) if chunk.cells.height else None
            refused += rejected_rows(chunk, checked, feed, name)
            if checked is None:
                continue
            failures.update(checked.reasons["columns"].explode().drop_nulls().to_list())
            good = checked.typed.with_columns(line=chunk.lines).filter(~checked.is_bad)
            taken += good.height
            if feed.sender and (problem := _others(good, feed.sender.name, feed.sender.source, own)):
                return Trial(problem=problem)
        require_unchanged_meaning(feed, failures, rows)
    except FileRejectedError as error:
        return Trial(problem=str(error))
    return Trial(taken, refused)


def _others(good: pl.DataFrame, column: str, source: str, own: list[str]) -> str:
    others = good.filter(pl.col(column).is_not_null() & (pl.col(column) != "") & ~pl.col(column).is_in(own))
    if not others.height:
        return ""
    return f"有{others.height}行的“{source}”不是本单位（首行：第{others['line'][0]}行），只能报送本单位的数据"
