"""Today's list has every item of a person in the audience's part that needs action on the day after D, most dangerous first.

The portal shows it as cards, the hand-out of a grid as a table; both read it here, inside `narrowed`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql

from yingjian.database.rows import records
from yingjian.landing import item_number
from yingjian.modelling.marts import published
from yingjian.reports.content.contents import DANGER
from yingjian.reports.content.lists import MASKED_NUMBER
from yingjian.reports.content.paging import Page, page_at
from yingjian.reports.content.publication import Publication

# Each query returns item_id, person_key, community, grid, the day and the time of the deadline (null if only the day counts),
# whether it has passed, the annex group of an obligation, and the explanation, which begins with the article. An obligation
# with a clock of its own is only on the list of that clock. PostgreSQL hashes the subquery of `not in`; with `not exists` it
# compared each obligation with each follow-up.
_OBLIGATIONS = """
    select obligation_id, person_key, community, grid, due_date, null::timestamp, {late}, group_name, explanation
    from {mart} as duty
    where publication_id = {{id}} {more}
    and membership_id not in (
        select followed.membership_id from pool_followup as followed
        where followed.publication_id = {{id}} and followed.status in ('waiting', 'overdue')
    )
    and not (duty.group_code = 'P19' and exists (
        select from pharmacy_followup as followed
        where followed.publication_id = {{id}} and followed.person_key = duty.person_key
        and followed.status in ('upcoming', 'overdue')
    ))
"""
LISTS: Mapping[str, tuple[str, str]] = {
    "positive_followup": (
        "阳性未转运",
        """
        select positive_id, person_key, community, grid, due_at::date, due_at, status = 'overdue', '', explanation
        from positive_followup where publication_id = {id} and status in ('waiting', 'overdue')
        """,
    ),
    "pool_followup": (
        "混管待复核",
        """
        select membership_id, person_key, community, grid, due_at::date, due_at, status = 'overdue', '', explanation
        from pool_followup where publication_id = {id} and status in ('waiting', 'overdue')
        """,
    ),
    "contact_clock": (
        "密接未隔离",
        """
        select contact_key, person_key, community, grid, deadline::date, deadline, status = 'overdue', '', explanation
        from contact_clock where publication_id = {id} and status in ('running', 'overdue') and not is_infected
        """,
    ),
    "health_monitoring": (
        "健康监测异常",
        """
        select membership_id || '/' || monitored_on, person_key, community, grid, monitored_on, null::timestamp, false,
            '', concat_ws('，', '第四条、第十八条、第三十条：发热或有症状', '最高体温' || highest_temperature || '℃')
        from health_monitoring where publication_id = {id} and monitored_on = as_of_date and status = 'signal'
        """,
    ),
    "push_outstanding": (
        "推送未清",
        """
        select feed || ':' || record_key, person_key, community, '', pushed_at::date, null::timestamp, true, '', explanation
        from push_outstanding where publication_id = {id}
        """,
    ),
    "pharmacy_followup": (
        "购药待检",
        """
        select purchase_id, person_key, community, grid, test_due_date, null::timestamp, status = 'overdue', '', explanation
        from pharmacy_followup where publication_id = {id} and status in ('upcoming', 'overdue')
        """,
    ),
    "overdue": ("逾期未检", _OBLIGATIONS.format(mart="overdue", late="true", more="")),
    "screening_outstanding": (
        "区域核酸未采",
        """
        select round_id || '/' || person_key, person_key, community, grid, deadline::date, deadline, is_overdue,
            '', concat_ws('，', '第二十一条、第三十四条：区域核酸未采样', nullif(building, ''))
        from screening_outstanding where publication_id = {id} and not is_infected
        """,
    ),
    "due": ("今日应检", _OBLIGATIONS.format(mart="due", late="false", more="and days_until_due = 1")),
}
PERSONS = 25  # A page has this many persons.
STATES = ("late", "running")
NO_ANSWER = "none"


@dataclass(frozen=True)
class Wanted:
    """This is a reader's filter of today's list. An empty value means everything.

    `grid` is a community and a grid joined by a slash, or a community alone; `state` is one of STATES; `answer` is a code
    of the answers, or `none` for items that nobody answered.
    """

    grid: str = ""
    list: str = ""
    state: str = ""
    day: date | None = None
    answer: str = ""
    page: int = 1

    @property
    def parameters(self) -> dict[str, Any]:
        """Return the parameters of this page's address; none of them is a person's."""
        return {
            "grid": self.grid, "list": self.list, "state": self.state, "day": self.day, "answer": self.answer,
            "page": self.page if self.page > 1 else None,
        }  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """This is the newest answer about an item; who gave it, and the note, are known only for answers given in the portal."""

    result: str
    handled_at: datetime
    handled_by: str | None
    remark: str | None


@dataclass(frozen=True)
class Item:
    """This is an item of a list: `limit` is a time, or a day whose end counts; a form shows `number`, which reveals nothing."""

    list: str
    item_id: str
    number: str
    group: str
    explanation: str
    limit: date | None
    is_late: bool
    answer: Answer | None

    @property
    def title(self) -> str:
        return LISTS[self.list][0]


@dataclass(frozen=True)
class Listed:
    """This is a person of today's list with all items about this person that the filter finds."""

    person_key: str
    name: str | None
    id_number: str | None
    phone: str | None
    address: str | None
    community: str
    grid: str
    items: Sequence[Item]


@dataclass(frozen=True)
class Today:
    """This is a page of today's list; `items` and `answered` count the items, and those answered, on all pages."""

    page: Page[Listed]
    items: int
    answered: int
    grids: Sequence[tuple[str, str]] = field(default_factory=tuple)
    days: Sequence[date] = field(default_factory=tuple)
    lists: Sequence[str] = field(default_factory=tuple)


def natural(words: str) -> list[tuple[int, str]]:
    """Return a key under which 第2社区 comes before 第10社区."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", words)]


# SQL pads each number to eight digits, so that the text sorts as the number does.
_NATURAL = r"""
    regexp_replace(
        regexp_replace(community || '/' || grid, '(\d+)', '00000000\1', 'g'), '\d*(\d{{8}})(?!\d)', '\1', 'g'
    ) collate "C"
"""


def read_today(conn: psycopg.Connection[Any], publication: Publication, wanted: Wanted) -> Today:
    """Return a page of today's list in the audience's part. The caller is inside `narrowed`."""
    items, given = _items(publication, wanted)
    counted = records(conn, items + sql.SQL(_COUNT), **given)[0]
    page = page_at(wanted.page, counted["persons"], PERSONS)
    rows = records(conn, items + sql.SQL(_PAGE).format(masked=MASKED_NUMBER, limit=page.limit), **given)
    choices = records(conn, items + sql.SQL(_CHOICES), **given)
    return Today(
        page.of(_persons(rows, item_number.hidden(conn))), counted["items"], counted["answered"],
        sorted({(row["community"], row["grid"]) for row in choices if row["community"]}, key=_place),
        sorted({row["due_date"] for row in choices if row["due_date"]}),
        [mart for mart in LISTS if any(row["list"] == mart for row in choices)],
    )  # fmt: skip


def read_everybody(
    conn: psycopg.Connection[Any], publication: Publication, wanted: Wanted | None = None
) -> Sequence[Listed]:
    """Return all persons of today's list in the audience's part, for a sheet. The caller is inside `narrowed`.

    Without `wanted` it is a pack's list, which has only what the publication knows, so that the same publication gives the same
    bytes.
    """
    items, given = _items(publication, wanted or Wanted(), has_later_answers=wanted is not None)
    query = items + sql.SQL(_PAGE).format(masked=MASKED_NUMBER, limit=sql.SQL(""))
    return _persons(records(conn, query, **given), item_number.hidden(conn))


def by_grid(listed: Sequence[Listed]) -> list[tuple[tuple[str, str], list[Listed]]]:
    """Return the persons by community and grid, in the natural order; the order of danger is kept within each."""
    places: dict[tuple[str, str], list[Listed]] = {}
    for person in listed:
        places.setdefault((person.community, person.grid), []).append(person)
    return sorted(places.items(), key=lambda entry: _place(entry[0]))


def _place(place: tuple[str, str]) -> list[list[tuple[int, str]]]:
    return [natural(name) for name in place]


def _items(
    publication: Publication, wanted: Wanted, has_later_answers: bool = True
) -> tuple[sql.Composed, dict[str, Any]]:
    """Return the beginning of a query and its parameters.

    Answers of the portal after the end of D are added; the publication has the earlier ones.
    """
    community, _, grid = wanted.grid.partition("/")
    given = {
        "id": publication.publication_id,
        "from": publication.as_of_date + timedelta(days=1),
        "community": community or None,
        "grid": grid or None,
        "list": wanted.list or None,
        "state": wanted.state or None,
        "day": wanted.day,
        "answer": wanted.answer or None,
        "danger": [_danger(mart) for mart in LISTS],
        "lists": list(LISTS),
    }
    answers = sql.SQL(_LAST_ANSWERS if has_later_answers else _NO_ANSWERS)
    return sql.SQL(_ITEMS).format(union=_union(publication.publication_id), answers=answers), given


def listed_items(
    conn: psycopg.Connection[Any], publication_id: int, items: Set[tuple[str, str]]
) -> set[tuple[str, str]]:
    """Return those of the items (list, item) that are on today's list in the audience's part. The caller is inside `narrowed`."""
    query = sql.SQL(
        """
        select listed.c1 as list, listed.c2 as item_id
        from ({}) as listed (c1, c2)
        inner join unnest(%(lists)s::text[], %(items)s::text[]) as asked (list, item_id)
            on listed.c1 = asked.list and listed.c2 = asked.item_id
        """
    ).format(_union(publication_id))
    asked = sorted(items)
    listed = records(conn, query, lists=[mart for mart, _ in asked], items=[item for _, item in asked])
    return {(row["list"], row["item_id"]) for row in listed}


@dataclass(frozen=True)
class Clock:
    """A clock runs for an item of a list until `limit`; the item's number may hold a person's key."""

    list: str
    item_id: str
    community: str
    limit: datetime


def running_clocks(conn: psycopg.Connection[Any], publication_id: int, lists: Sequence[str]) -> list[Clock]:
    """Return the items of some lists whose deadline has not passed, soonest first. The caller is inside `narrowed`."""
    query = sql.SQL(
        """
        select c1 as list, c2 as item_id, coalesce(c4, '') as community, c7 as limit_at
        from ({}) as listed (c1, c2, c3, c4, c5, c6, c7, c8)
        where c7 is not null and not c8 order by c7, c1, c2
        """
    ).format(_union(publication_id, lists))
    return [Clock(row["list"], row["item_id"], row["community"], row["limit_at"]) for row in records(conn, query)]


def _danger(mart: str) -> int:
    """Return the place of a list in the order of danger; the report has its actions in the same order."""
    anchor = published()[mart].report
    return DANGER.index(anchor) if anchor in DANGER else len(DANGER)


def _union(publication_id: int, lists: Iterable[str] = LISTS) -> sql.Composed:
    """Return the query of the items of some lists, each after the name of its list."""
    return sql.SQL(" union all ").join(
        sql.SQL("select {}::text, listed.* from ({}) as listed").format(
            sql.Literal(mart),
            sql.SQL(LISTS[mart][1]).format(id=sql.Literal(publication_id)),  # type: ignore[arg-type]
        )
        for mart in lists
    )


_ITEMS = """
    with item (list, item_id, person_key, community, grid, due_date, due_at, is_late, group_name, explanation) as ({union}),
    placed as (
        select item.list, item.item_id, item.person_key, item.community,
            coalesce(nullif(item.grid, ''), case when person.community = item.community then person.grid end, '') as grid,
            item.due_date, item.due_at, item.is_late, item.group_name, item.explanation, ranks.danger,
            person.name, person.id_number, person.phone, person.address
        from item
        inner join unnest(%(lists)s::text[], %(danger)s::int[]) as ranks (list, danger) on item.list = ranks.list
        left join published.person on person.publication_id = %(id)s and person.person_key = item.person_key
        where item.person_key is not null
    ),
    later_answer as ({answers}),
    answered as (
        select placed.*, coalesce(later_answer.result, known.result) as result,
            coalesce(later_answer.handled_at, known.handled_at) as handled_at, later_answer.handled_by, later_answer.remark
        from placed
        -- The limit makes PostgreSQL look up each item by the index; it expects few items and would compare each with each answer.
        left join lateral (
            select disposition.result, disposition.handled_at from disposition
            where disposition.publication_id = %(id)s and disposition.list = placed.list
            and disposition.item_id = placed.item_id limit 1
        ) as known on true
        left join lateral (
            select later_answer.* from later_answer
            where later_answer.item_id = placed.item_id
            and later_answer.kind = case when placed.list in ('due', 'overdue') then 'obligation' else placed.list end
            order by later_answer.handled_at desc, later_answer.disposition_id desc limit 1
        ) as later_answer on true
    ),
    wanted as (
        select * from answered
        where (%(community)s::text is null or community = %(community)s)
        and (%(grid)s::text is null or grid = %(grid)s)
        and (%(list)s::text is null or list = %(list)s)
        and (%(state)s::text is null or is_late = (%(state)s = 'late'))
        and (%(day)s::date is null or due_date = %(day)s)
        and (%(answer)s::text is null or coalesce(result, 'none') = %(answer)s)
    )
"""
_LAST_ANSWERS = """
    select item_id, case when list in ('due', 'overdue') then 'obligation' else list end as kind, result, handled_at,
        handled_by, remark, disposition_id
    from portal.disposition where handled_at >= %(from)s
"""
_NO_ANSWERS = """
    select null::text as item_id, null::text as kind, null::text as result, null::timestamp as handled_at,
        null::text as handled_by, null::text as remark, null::bigint as disposition_id
    where false
"""
_COUNT = "select count(distinct person_key)::int as persons, count(*)::int as items, count(result)::int as answered from wanted"
_CHOICES = "select distinct list, community, grid, due_date from placed"
_PAGE = f"""
    , persons as (
        select person_key, min(danger) as danger, min(coalesce(due_at, due_date + 1)) as due, min({_NATURAL}) as place
        from wanted group by person_key
        order by danger, due nulls first, place, person_key
        {{limit}}
    )
    select person.*, {{masked}} as masked_number
    from persons
    inner join wanted as person using (person_key)
    order by persons.danger, persons.due nulls first, persons.place, persons.person_key, person.danger,
        coalesce(person.due_at, person.due_date + 1) nulls first, person.list, person.item_id
"""


def _persons(rows: Sequence[Mapping[str, Any]], number: item_number.Mapped) -> list[Listed]:
    by_person: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_person.setdefault(row["person_key"], []).append(row)
    return [
        Listed(
            key, items[0]["name"], items[0]["masked_number"], items[0]["phone"], items[0]["address"], items[0]["community"],
            items[0]["grid"], [_item(row, number) for row in items],
        )
        for key, items in by_person.items()
    ]  # fmt: skip


def _item(row: Mapping[str, Any], number: item_number.Mapped) -> Item:
    answer = (
        Answer(row["result"], row["handled_at"], row["handled_by"], row["remark"] or None) if row["result"] else None
    )
    return Item(
        row["list"], row["item_id"], number(row["item_id"]), row["group_name"], row["explanation"] or "", row["due_at"] or row["due_date"],
        row["is_late"], answer,
    )  # fmt: skip
