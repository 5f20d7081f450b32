"""The report's lists of persons, searched, filtered, sorted and page by page; and the same rows as a file.

The lists are those of `reports.lists`: what an official sees here and in the pack is one query. A list's columns are
named by their Chinese titles, in the address too; what is searched for may be a name, so it never stands in an address.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from psycopg import sql
from psycopg.rows import tuple_row

from yingjian.portal.reading import Conn
from yingjian.reports.figures import Publication
from yingjian.reports.lists import LISTS, PersonList, columns, streamed, with_identity
from yingjian.reports.workbook import Book

PAGE_ROWS = 50
OPTIONS = 300  # choices of a filter; of a longer one the search finds the rest
FILTERED = ("社区", "主管部门", "重点人群", "管控", "状态", "可否解除", "类别", "轮次", "风险区")
BY_MART: Mapping[str, PersonList] = {found.mart: found for found in LISTS}


@dataclass(frozen=True)
class Asked:
    """What a reader asked of a list: `filters` by column, `sort` a column (with - before it: largest first)."""

    filters: Mapping[str, str] = field(default_factory=dict)
    search: str = ""
    sort: str = ""
    page: int = 1

    @classmethod
    def of(cls, found: PersonList, parameters: Mapping[str, str], search: str = "") -> Asked:
        """From an address; what names no column of the list is left out."""
        sort, number = parameters.get("sort", ""), parameters.get("page", "1")
        return cls(
            {name: parameters[name] for name in filters_of(found) if parameters.get(name)},
            " ".join(search.split())[:100],
            sort if sort.removeprefix("-") in found.columns else "",
            max(1, int(number)) if number.isascii() and number.isdigit() and len(number) < 7 else 1,
        )

    @property
    def parameters(self) -> dict[str, Any]:
        """The address of this page of the list, without what was searched."""
        return {**self.filters, "sort": self.sort, "page": self.page if self.page > 1 else None}


@dataclass(frozen=True)
class Listed:
    """A page of a list: cells by column, `keys` the persons of the rows in the same order."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    keys: Sequence[str]
    count: int
    page: int
    options: Mapping[str, Sequence[str]]

    @property
    def pages(self) -> int:
        return max(1, -(-self.count // PAGE_ROWS))


def filters_of(found: PersonList) -> list[str]:
    return [name for name in FILTERED if name in found.columns]


def counts(conn: Conn, publication_id: int) -> dict[str, int]:
    """Rows of each list in the reader's part, by mart; a list whose mart is not there yet is left out."""
    counted = {}
    for found in LISTS:
        if conn.execute("select to_regclass(%s) is not null", (found.mart,)).fetchone() == (True,):
            row = conn.execute(
                sql.SQL("select count(*) from ({}) as listed").format(_rows(found, publication_id, in_order=False))
            ).fetchone()
            counted[found.mart] = int(row[0]) if row else 0
    return counted


def read_page(conn: Conn, publication: Publication, found: PersonList, asked: Asked, sees_names: bool) -> Listed:
    """The asked page of a list, in the reader's part; beyond the last one, the last."""
    counted = conn.execute(
        sql.SQL("select count(*) from ({}) as listed").format(
            _asked(found, publication.publication_id, asked, sees_names, in_order=False)
        )
    ).fetchone()
    count = int(counted[0]) if counted else 0
    number = min(asked.page, max(1, -(-count // PAGE_ROWS)))
    part = sql.SQL("{body} limit {size} offset {offset}").format(
        body=_asked(found, publication.publication_id, asked, sees_names),
        size=sql.Literal(PAGE_ROWS),
        offset=sql.Literal((number - 1) * PAGE_ROWS),
    )
    if sees_names:
        part = with_identity(part, publication.publication_id)
    with conn.cursor(row_factory=tuple_row) as cursor:
        read = cursor.execute(part).fetchall()
    return Listed(
        columns(found, sees_names),
        [(*row[:3], *row[4:-1]) if sees_names else row[:-1] for row in read],
        [row[-1] for row in read],
        count,
        number,
        _options(conn, publication.publication_id, found),
    )


def export(conn: Conn, publication: Publication, found: PersonList, asked: Asked, sees_names: bool, path: Path) -> int:
    """Write the asked rows, all pages of them, to a .csv or .xlsx file; returns how many."""
    body = _asked(found, publication.publication_id, asked, sees_names)
    if sees_names:
        body = with_identity(body, publication.publication_id)
    header, listed = columns(found, sees_names), streamed(conn, body, sees_names)
    if path.suffix == ".xlsx":
        book = Book(path, publication.published_at)
        count = book.sheet(found.title, header, listed)
        book.book.close()
        return count
    count = 0
    # The mark at the front tells spreadsheets the encoding.
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for row in listed:
            writer.writerow([_harmless(value) for value in row])
            count += 1
    return count


def _harmless(value: Any) -> Any:
    """A spreadsheet takes text that begins so for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else value


def _rows(found: PersonList, publication_id: int, in_order: bool) -> sql.Composed:
    text = found.query if in_order else found.unordered
    return sql.SQL(text).format(id=sql.Literal(publication_id))  # type: ignore[arg-type]


def _column(found: PersonList, name: str) -> sql.Identifier:
    return sql.Identifier(f"c{found.columns.index(name)}")


def _asked(
    found: PersonList, publication_id: int, asked: Asked, sees_names: bool, in_order: bool = True
) -> sql.Composed:
    """The list's query with filters, search and order around it; its columns are c0, c1 …, then person_key.

    Where no column is asked for, the order is the list's own; else ties go by all that the row says, so that pages do not overlap.
    """
    names = _names(found)
    conditions: list[sql.Composable] = [
        sql.SQL("{}::text = {}").format(_column(found, name), sql.Literal(value))
        for name, value in asked.filters.items()
    ]
    if asked.search:
        conditions.append(_search(names, publication_id, asked.search, sees_names))
    order = sql.SQL("")
    if in_order and asked.sort:
        order = sql.SQL("order by {column} {down} nulls last, person_key, {names}").format(  # type: ignore[assignment]
            column=_column(found, asked.sort.removeprefix("-")),
            down=sql.SQL("desc" if asked.sort.startswith("-") else "asc"),
            names=names,
        )
    return sql.SQL("select * from ({rows}) as listed ({names}, person_key) {where} {order}").format(
        rows=_rows(found, publication_id, in_order=in_order and not asked.sort),
        names=names,
        where=sql.SQL("where ") + sql.SQL(" and ").join(conditions) if conditions else sql.SQL(""),
        order=order,
    )


def _names(found: PersonList) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(f"c{place}") for place in range(len(found.columns)))


def _search(names: sql.Composable, publication_id: int, words: str, sees_names: bool) -> sql.Composed:
    """Each word somewhere in the row, or, for those who see names, in the person's name, number or telephone."""
    conditions: list[sql.Composable] = []
    for word in words.split():
        condition = sql.SQL("strpos(concat_ws(' ', {names}), {word}) > 0").format(names=names, word=sql.Literal(word))
        if sees_names:
            condition = sql.SQL(
                """
                ({condition} or person_key in (
                    select person.person_key from published.person
                    where person.publication_id = {id}
                    and strpos(lower(concat_ws(' ', person.name, person.id_number, person.phone)), {word}) > 0
                ))
                """
            ).format(condition=condition, id=sql.Literal(publication_id), word=sql.Literal(word.lower()))
        conditions.append(condition)
    return sql.SQL(" and ").join(conditions)


def _options(conn: Conn, publication_id: int, found: PersonList) -> dict[str, list[str]]:
    """The choices of each filter, in one pass over the list."""
    filters = filters_of(found)
    wanted = [_column(found, name) for name in filters]
    query = sql.SQL(
        "select {wanted} from ({rows}) as listed ({names}, person_key) group by grouping sets ({sets})"
    ).format(
        wanted=sql.SQL(", ").join(sql.SQL("{}::text").format(column) for column in wanted),
        rows=_rows(found, publication_id, in_order=False),
        names=_names(found),
        sets=sql.SQL(", ").join(sql.SQL("({})").format(column) for column in wanted),
    )
    choices: dict[str, set[str]] = {name: set() for name in filters}
    for row in conn.execute(query) if filters else ():
        for name, choice in zip(filters, row, strict=True):
            if choice:
                choices[name].add(choice)
    return {name: sorted(found_choices)[:OPTIONS] for name, found_choices in choices.items()}
