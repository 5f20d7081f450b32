"""This module paginates lists: it says which rows are on a page and how many pages there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import psycopg
from psycopg import sql

from yingjian.database.rows import records

Row = TypeVar("Row")
Other = TypeVar("Other")


@dataclass(frozen=True)
class Page(Generic[Row]):
    """This is a page of a list: `count` is the number of rows on all pages, `size` that of a full page; `number` begins at 1."""

    rows: Sequence[Row]
    count: int
    number: int
    size: int

    @property
    def pages(self) -> int:
        """Return the number of pages; an empty list has one."""
        return max(1, -(-self.count // self.size))

    @property
    def skipped(self) -> int:
        """Return the number of rows on the pages before."""
        return (self.number - 1) * self.size

    @property
    def limit(self) -> sql.Composed:
        """Return the limit and offset of a query for the rows of this page."""
        return sql.SQL(" limit {} offset {}").format(sql.Literal(self.size), sql.Literal(self.skipped))

    def of(self, rows: Sequence[Other]) -> Page[Other]:
        """Return this page with other rows, such as objects made of its own."""
        return replace(self, rows=rows)  # type: ignore[arg-type, return-value]


def page_at(asked: int, count: int, size: int) -> Page[Any]:
    """Return the page of a number, still without its rows; a number beyond the last page means the last one."""
    page: Page[Any] = Page((), count, asked, size)
    return replace(page, number=min(asked, page.pages))


def read_page(
    conn: psycopg.Connection[Any],
    columns: str | sql.Composable,
    body: str | sql.Composable,
    order: str,
    asked: int,
    size: int,
    **parameters: Any,
) -> Page[dict[str, Any]]:
    """Return a page of the rows of `select columns body order by order`; `body` begins with `from`.

    `order` must leave no ties, or pages overlap.
    """
    [counted] = records(conn, sql.SQL("select count(*) as count ") + _sql(body), **parameters)
    page = page_at(asked, counted["count"], size)
    query = sql.SQL("select {} {} order by {}").format(_sql(columns), _sql(body), _sql(order)) + page.limit
    return page.of(records(conn, query, **parameters))


def _sql(text: str | sql.Composable) -> sql.Composable:
    return sql.SQL(text) if isinstance(text, str) else text  # type: ignore[arg-type]
