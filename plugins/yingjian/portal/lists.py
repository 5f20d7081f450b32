"""The portal searches, filters, sorts and pages the report's lists of persons, and exports the same rows as a file.

The lists are those of `reports.content.lists`: one query serves the portal and the pack. A list's columns are named by their
Chinese titles, in the address too. A search may be for a name, so it never stands in an address.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from psycopg import sql
from psycopg.rows import tuple_row

from yingjian.people.audience import Audience
from yingjian.portal.limits import PAGE_ROWS
from yingjian.portal.reading import Conn, is_readable
from yingjian.reports.content.audiences import hidden_marts
from yingjian.reports.content.lists import LISTS, PersonList, columns, streamed, with_identity
from yingjian.reports.content.paging import Page, page_at
from yingjian.reports.content.publication import Publication
from yingjian.reports.render.long_lists import LONG, harmless, is_long
from yingjian.reports.render.workbook import Book

OPTIONS = 300  # A filter shows this many choices; the search finds the others.
FILTERED = ("社区", "主管部门", "重点人群", "管控", "状态", "可否解除", "类别", "轮次", "风险区")
BY_MART: Mapping[str, PersonList] = {person_list.mart: person_list for person_list in LISTS}


@dataclass(frozen=True)
class Asked:
    """This is a reader's request for a list.

    `filters` are by column, `sort` is a column (with - before it: largest first).
    """

    filters: Mapping[str, str] = field(default_factory=dict)
    search: str = ""
    sort: str = ""
    page: int = 1

    @classmethod
    def of(cls, person_list: PersonList, parameters: Mapping[str, str], search: str = "") -> Asked:
        """Return the request of an address; parameters that name no column of the list are left out."""
        sort, number = parameters.get("sort", ""), parameters.get("page", "1")
        return cls(
            {name: parameters[name] for name in filters_of(person_list) if parameters.get(name)},
            " ".join(search.split())[:100],
            sort if sort.removeprefix("-") in person_list.columns else "",
            max(1, int(number)) if number.isascii() and number.isdigit() and len(number) < 7 else 1,
        )

    @property
    def parameters(self) -> dict[str, Any]:
        """Return the parameters of this page's address, without the search."""
        return {**self.filters, "sort": self.sort, "page": self.page if self.page > 1 else None}


@dataclass(frozen=True)
class Listed:
    """This is a page of a list: its rows have cells by column, `keys` are the persons of the rows in the same order."""

    columns: Sequence[str]
    page: Page[Sequence[Any]]
    keys: Sequence[str]
    options: Mapping[str, Sequence[str]]

    @property
    def is_long(self) -> bool:
        """Return whether the list is too long for a sheet."""
        return self.page.count > LONG


def filters_of(person_list: PersonList) -> list[str]:
    return [name for name in FILTERED if name in person_list.columns]


def counts(conn: Conn, publication_id: int, audience: Audience) -> dict[str, int]:
    """Return the number of rows of each list in the reader's part, by mart.

    A list is left out if its mart does not exist, or if the audience may see no row of the mart.
    """
    counted, hidden = {}, hidden_marts(conn, audience)
    for person_list in LISTS:
        if person_list.mart not in hidden and is_readable(conn, "published", person_list.mart):
            row = conn.execute(
                sql.SQL("select count(*) from ({}) as listed").format(
                    _rows(person_list, publication_id, in_order=False)
                )
            ).fetchone()
            counted[person_list.mart] = int(row[0]) if row else 0
    return counted


def read_page(conn: Conn, publication: Publication, person_list: PersonList, asked: Asked, sees_names: bool) -> Listed:
    """Return the requested page of a list in the reader's part; if it does not exist, the last page."""
    counted = conn.execute(
        sql.SQL("select count(*) from ({}) as listed").format(
            _asked(person_list, publication.publication_id, asked, sees_names, in_order=False)
        )
    ).fetchone()
    page = page_at(asked.page, int(counted[0]) if counted else 0, PAGE_ROWS)
    part = _asked(person_list, publication.publication_id, asked, sees_names) + page.limit
    if sees_names:
        part = with_identity(part, publication.publication_id)
    with conn.cursor(row_factory=tuple_row) as cursor:
        read = cursor.execute(part).fetchall()
    return Listed(
        columns(person_list, sees_names),
        page.of([(*row[:3], *row[4:-1]) if sees_names else row[:-1] for row in read]),
        [row[-1] for row in read],
        _options(conn, publication.publication_id, person_list),
    )


def export(
    conn: Conn, publication: Publication, person_list: PersonList, asked: Asked, sees_names: bool, path: Path
) -> int:
    """Write the requested rows, all pages of them, to a .csv or .xlsx file; return how many.

    Raises ValueError for more rows than a sheet takes (`long_lists.LONG`).
    """
    body = _asked(person_list, publication.publication_id, asked, sees_names)
    if path.suffix == ".xlsx" and is_long(conn, body):
        raise ValueError(f"a sheet takes {LONG} rows")
    if sees_names:
        body = with_identity(body, publication.publication_id)
    header, listed = columns(person_list, sees_names), streamed(conn, body, sees_names)
    if path.suffix == ".xlsx":
        book = Book(path, publication.published_at)
        count = book.sheet(person_list.title, header, listed)
        book.book.close()
        return count
    count = 0
    # The byte order mark tells spreadsheets the encoding.
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for row in listed:
            writer.writerow([harmless(value) for value in row])
            count += 1
    return count


def _rows(person_list: PersonList, publication_id: int, in_order: bool) -> sql.Composed:
    text = person_list.query if in_order else person_list.unordered
    return sql.SQL(text).format(id=sql.Literal(publication_id))  # type: ignore[arg-type]


def _column(person_list: PersonList, name: str) -> sql.Identifier:
    return sql.Identifier(f"c{person_list.columns.index(name)}")


def _asked(
    person_list: PersonList, publication_id: int, asked: Asked, sees_names: bool, in_order: bool = True
) -> sql.Composed:
    """Return the list's query with filters, search and order; its columns are c0, c1 …, then person_key.

    Without a requested column the list keeps its own order. Otherwise all columns break ties, so that pages do not
    overlap.
    """
    names = _names(person_list)
    conditions: list[sql.Composable] = [
        sql.SQL("{}::text = {}").format(_column(person_list, name), sql.Literal(value))
        for name, value in asked.filters.items()
    ]
    if asked.search:
        conditions.append(_search(names, publication_id, asked.search, sees_names))
    order = sql.SQL("")
    if in_order and asked.sort:
        order = sql.SQL("order by {column} {down} nulls last, person_key, {names}").format(  # type: ignore[assignment]
            column=_column(person_list, asked.sort.removeprefix("-")),
            down=sql.SQL("desc" if asked.sort.startswith("-") else "asc"),
            names=names,
        )
    return sql.SQL("select * from ({rows}) as listed ({names}, person_key) {where} {order}").format(
        rows=_rows(person_list, publication_id, in_order=in_order and not asked.sort),
        names=names,
        where=sql.SQL("where ") + sql.SQL(" and ").join(conditions) if conditions else sql.SQL(""),
        order=order,
    )


def _names(person_list: PersonList) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(f"c{place}") for place in range(len(person_list.columns)))


def _search(names: sql.Composable, publication_id: int, words: str, sees_names: bool) -> sql.Composed:
    """Return the condition that each word occurs in the row.

    For readers who see names, a word may also occur in the person's name, or be the whole of the number or telephone.
    Lists mask these: by a part of a number, somebody could find the rest digit by digit.
    """
    conditions: list[sql.Composable] = []
    for word in words.split():
        condition = sql.SQL("strpos(concat_ws(' ', {names}), {word}) > 0").format(names=names, word=sql.Literal(word))
        if sees_names:
            condition = sql.SQL(
                """
                ({condition} or person_key in (
                    select person.person_key from published.person
                    where person.publication_id = {id}
                    and (
                        strpos(lower(person.name), {word}) > 0
                        or {word} in (lower(person.id_number), lower(person.phone))
                    )
                ))
                """
            ).format(condition=condition, id=sql.Literal(publication_id), word=sql.Literal(word.lower()))
        conditions.append(condition)
    return sql.SQL(" and ").join(conditions)


def _options(conn: Conn, publication_id: int, person_list: PersonList) -> dict[str, list[str]]:
    """Return the choices of each filter, in one pass over the list."""
    filters = filters_of(person_list)
    option_columns = [_column(person_list, name) for name in filters]
    query = sql.SQL(
        "select {wanted} from ({rows}) as listed ({names}, person_key) group by grouping sets ({sets})"
    ).format(
        wanted=sql.SQL(", ").join(sql.SQL("{}::text").format(column) for column in option_columns),
        rows=_rows(person_list, publication_id, in_order=False),
        names=_names(person_list),
        sets=sql.SQL(", ").join(sql.SQL("({})").format(column) for column in option_columns),
    )
    choices: dict[str, set[str]] = {name: set() for name in filters}
    for row in conn.execute(query) if filters else ():
        for name, choice in zip(filters, row, strict=True):
            if choice:
                choices[name].add(choice)
    return {name: sorted(values)[:OPTIONS] for name, values in choices.items()}
