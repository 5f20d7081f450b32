"""The figures of one publication's report: SQL over the published marts to frozen dataclasses.

Everything is read by publication id, so a report can be written again, with the same bytes, long after the
publication was replaced. Comparisons use the newest publication of an earlier business date whose id is not
larger than this one's: a later recomputation of yesterday does not change a report that was already sent.

Units: *memberships* (人次: one person in one group), *persons* (人) and *items* (项: one obligation).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql

from yingjian.database.rows import records, rows
from yingjian.people.audience import OFFICE, Audience
from yingjian.reports.audiences import hidden_marts
from yingjian.reports.indicators import Series, read_series
from yingjian.reports.movement import Movement, ZoneChange, read_movement, read_zone_changes
from yingjian.reports.topics import Topic, read_topics

TREND_DAYS = 14
FORECAST_DAYS = 7
UNIT_ROWS = 10  # units that the page names; the spreadsheet has all
BAND_DAYS = ((1, 1), (2, 3), (4, 7), (8, None))
LEVELS = ("高", "中", "低")
BLANK = "（未填）"


@dataclass(frozen=True)
class Publication:
    """A row of `published.publication`; `published_at` is Asia/Shanghai wall time."""

    publication_id: int
    as_of_date: date
    published_at: datetime
    policy_edition: str
    quality_status: str
    checks_run: int
    checks_failed: int
    input_files: int
    input_rows: int
    code_version: str
    release_reason: str | None
    released_by: str | None
    missing_feeds: list[str]
    is_correction: bool

    @property
    def mark(self) -> str:
        """What stands beside the report's title when the day had been published before."""
        return "（更正版）" if self.is_correction else ""

    @property
    def released_by_hand(self) -> bool:
        return self.quality_status == "released_by_hand"


@dataclass(frozen=True)
class Totals:
    """Memberships of one publication; `compliance_rate` is None when nothing was required."""

    required: int
    compliant: int
    overdue: int
    exempt: int

    @property
    def compliance_rate(self) -> float | None:
        return self.compliant / self.required if self.required else None


@dataclass(frozen=True)
class Headline:
    """What the first lines of the page say about one business date."""

    totals: Totals
    overdue_persons: int
    overdue_items: int
    next_day_items: int
    next_day_persons: int
    high_zones: int
    medium_zones: int
    lowerable_zones: int
    state: str | None
    local_cases: int


@dataclass(frozen=True)
class Slice:
    """Memberships of one department, community, group or unit; the change is None without a day before."""

    code: str | None
    name: str
    required: int
    compliant: int
    overdue: int
    overdue_before: int | None

    @property
    def compliance_rate(self) -> float | None:
        return self.compliant / self.required if self.required else None

    @property
    def change(self) -> int | None:
        return None if self.overdue_before is None else self.overdue - self.overdue_before


@dataclass(frozen=True)
class Band:
    """Overdue items by days overdue (both ends included; `last` None = open)."""

    first: int
    last: int | None
    items: int


@dataclass(frozen=True)
class Longest:
    """The longest overdue item, and how many items are as old as it."""

    days_overdue: int
    items: int
    group_name: str
    community: str


@dataclass(frozen=True)
class ForecastDay:
    """Tests that fall due on a day, no further samples assumed."""

    day: date
    tests_due: int


@dataclass(frozen=True)
class ForecastRow:
    """One community's tests due on D + 1 … D + 7."""

    community: str
    tests_due: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.tests_due)


@dataclass(frozen=True)
class Zone:
    """A row of `published.risk_zone` (article 28)."""

    zone_id: str
    name: str
    communities: Sequence[str]
    level: str
    level_since: date | None
    last_positive_date: date | None
    clear_days: int | None
    residents: int | None
    round_sampled: int | None
    round_outstanding: int | None
    round_complete_on: date | None
    eligible_level: str | None
    eligible_on: date | None
    earliest_on: date | None
    overlapping_zones: Sequence[str]
    mismatch: str | None
    blockers: Sequence[str]


@dataclass(frozen=True)
class OpenItems:
    """Open obligations: not yet due, and open ones whose membership a person still has to confirm (article 30)."""

    upcoming: int
    needs_review: int


@dataclass(frozen=True)
class Feed:
    """A row of `published.feed_quality`."""

    feed: str
    title: str
    files: int
    new_files: int
    rows_read: int
    rows_staged: int
    rows_rejected: int
    rows_superseded: int
    rows_repaired: int
    rejected_files: int
    newest_update: datetime | None
    status: str
    message: str | None

    @property
    def balanced(self) -> bool:
        """Nothing is dropped silently: rows read = staged + rejected + superseded."""
        return self.rows_read == self.rows_staged + self.rows_rejected + self.rows_superseded


@dataclass(frozen=True)
class Rejection:
    """Rows rejected for one reason; a row may have several."""

    title: str
    reason: str
    rows: int


@dataclass(frozen=True)
class Sender:
    """Unresolved quarantined rows of a feed by who answers for them."""

    title: str
    sender: str
    rows: int


@dataclass(frozen=True)
class Restatement:
    """Obligations of an earlier day that the last publication stated otherwise."""

    restated_date: date
    reason: str
    rows: int


@dataclass(frozen=True)
class Check:
    """A quality check that did not hold; `severity` is fail or warn."""

    check_name: str
    table_name: str
    severity: str
    failing_rows: int | None
    message: str | None


@dataclass(frozen=True)
class Figures:
    """All that the report shows.

    `days` are the business dates of the trend, the report's own last; `movement` and `zone_changes` compare with the
    day before. `units` are those with most overdue, `units_rest` sums of the others. `responsible` names the
    responsible units of each provision of the plan.
    """

    publication: Publication
    now: Headline
    day_before: Headline | None
    week_before: Headline | None
    days: list[date]
    series: tuple[Series, ...]
    movement: Movement | None
    zone_changes: list[ZoneChange]
    departments: list[Slice]
    communities: list[Slice]
    groups: list[Slice]
    units: list[Slice]
    units_rest: list[Slice]
    bands: list[Band]
    longest: Longest | None
    forecast: list[ForecastDay]
    forecast_rows: list[ForecastRow]
    zones: list[Zone]
    topics: list[Topic]
    open_items: OpenItems
    feeds: list[Feed]
    rejections: list[Rejection]
    senders: list[Sender]
    restatements: list[Restatement]
    checks: list[Check]
    responsible: Mapping[str, Sequence[str]]
    hidden: frozenset[str] = frozenset()

    @property
    def has_zones(self) -> bool:
        """Whether the audience sees risk zones at all; else nothing is said of them."""
        return "risk_zone" not in self.hidden

    def series_of(self, section: str) -> list[Series]:
        """The daily figures of a section of the report."""
        return [series for series in self.series if series.indicator.section == section]

    @property
    def failed_checks(self) -> int:
        """Checks that must hold and did not."""
        return sum(check.severity == "fail" for check in self.checks)


def read_figures(conn: psycopg.Connection[Any], publication_id: int, audience: Audience = OFFICE) -> Figures:
    """Read every figure of a publication's report; inside `narrowed` for the same audience.

    Raises:
        LookupError: there is no such publication, or its rows were pruned.
    """
    publication, hidden = _publication(conn, publication_id), hidden_marts(conn, audience)
    published = _newest_publications(conn, publication)
    kept = _kept(conn, published.values())
    if publication_id not in kept:
        raise LookupError(f"the rows of publication {publication_id} were pruned")
    as_of = publication.as_of_date
    totals = _totals(conn, published.values())
    day_before, week_before = (published.get(as_of - timedelta(days=days)) for days in (1, 7))

    def headline(chosen: int) -> Headline:
        return _headline(conn, chosen, totals.get(chosen, Totals(0, 0, 0, 0)))

    def earlier(chosen: int | None) -> Headline | None:
        return headline(chosen) if chosen in kept else None

    days = [as_of - timedelta(days=back) for back in reversed(range(TREND_DAYS))]
    kept_before = day_before if day_before in kept else None
    forecast_rows = _forecast_rows(conn, publication)
    units, units_rest = _units(conn, publication_id, day_before)
    return Figures(
        publication=publication,
        now=headline(publication_id),
        day_before=earlier(day_before),
        week_before=earlier(week_before),
        days=days,
        series=read_series(conn, [published.get(day) for day in days], kept, day_before, hidden),
        movement=read_movement(conn, publication_id, kept_before) if kept_before is not None else None,
        zone_changes=read_zone_changes(conn, publication_id, kept_before) if kept_before is not None else [],
        departments=_slices(conn, "department", publication_id, day_before),
        communities=_slices(conn, "community", publication_id, day_before),
        groups=_slices(conn, "group_name", publication_id, day_before, code="group_code"),
        units=units,
        units_rest=units_rest,
        bands=_bands(conn, publication_id),
        longest=_longest(conn, publication_id),
        forecast=[
            ForecastDay(as_of + timedelta(days=ahead + 1), sum(row.tests_due[ahead] for row in forecast_rows))
            for ahead in range(FORECAST_DAYS)
        ],
        forecast_rows=forecast_rows,
        zones=_zones(conn, publication_id),
        topics=read_topics(conn, publication_id, as_of, hidden),
        open_items=_open_items(conn, publication_id),
        feeds=_feeds(conn, publication_id),
        rejections=_rejections(conn, publication_id),
        senders=_senders(conn, publication_id),
        restatements=_restatements(conn, publication_id),
        checks=_checks(conn, publication_id),
        responsible=_responsible(conn, publication_id),
        hidden=hidden,
    )


def in_bands(items_by_days: Iterable[tuple[int, int]]) -> list[Band]:
    """(days overdue, items) pairs summed into the bands of the page."""
    pairs = list(items_by_days)
    return [
        Band(first, last, sum(items for days, items in pairs if days >= first and (last is None or days <= last)))
        for first, last in BAND_DAYS
    ]


def _publication(conn: psycopg.Connection[Any], publication_id: int) -> Publication:
    found = rows(
        conn,
        Publication,
        """
        select
            publication_id, as_of_date, published_at at time zone 'Asia/Shanghai' as published_at, policy_edition,
            quality_status, checks_run, checks_failed, input_files, input_rows, code_version,
            release_reason, released_by, missing_feeds, is_correction
        from publication
        where publication_id = %(id)s
        """,
        id=publication_id,
    )
    if not found:
        raise LookupError(f"there is no publication {publication_id}")
    return found[0]


def _kept(conn: psycopg.Connection[Any], publication_ids: Iterable[int]) -> frozenset[int]:
    """Those that still have their rows: a row per feed until they are pruned, those of persons until they are over."""
    query = """
        select distinct publication_id from feed_quality
        where publication_id = any(%(ids)s) and (
            to_regclass('published.obligation_p' || publication_id) is not null
            or not exists (select from pg_class where oid = to_regclass('published.obligation') and relkind = 'p')
        )
    """
    return frozenset(row["publication_id"] for row in records(conn, query, ids=sorted(publication_ids)))


def _newest_publications(conn: psycopg.Connection[Any], publication: Publication) -> dict[date, int]:
    """Business date → newest publication not newer than this one, for the days of the trend."""
    found = records(
        conn,
        """
        select as_of_date, max(publication_id) as publication_id
        from publication
        where publication_id <= %(id)s and as_of_date > %(first)s and as_of_date <= %(last)s
        group by as_of_date
        """,
        id=publication.publication_id,
        first=publication.as_of_date - timedelta(days=TREND_DAYS),
        last=publication.as_of_date,
    )
    return {row["as_of_date"]: row["publication_id"] for row in found}


def _totals(conn: psycopg.Connection[Any], publication_ids: Iterable[int]) -> dict[int, Totals]:
    found = records(
        conn,
        """
        select
            daily.publication_id,
            sum(daily.required)::bigint as required,
            sum(daily.compliant)::bigint as compliant,
            sum(daily.overdue)::bigint as overdue,
            sum(daily.exempt)::bigint as exempt
        from compliance_daily as daily
        join publication as publication using (publication_id, as_of_date)
        where daily.publication_id = any(%(ids)s)
        group by daily.publication_id
        """,
        ids=sorted(publication_ids),
    )
    return {row.pop("publication_id"): Totals(**row) for row in found}


def _headline(conn: psycopg.Connection[Any], publication_id: int, totals: Totals) -> Headline:
    (row,) = records(
        conn,
        """
        select
            overdue.persons as overdue_persons,
            overdue.items as overdue_items,
            next_day.items as next_day_items,
            next_day.persons as next_day_persons,
            zones.high_zones,
            zones.medium_zones,
            zones.lowerable_zones,
            (select state from town_state where publication_id = %(id)s) as state,
            coalesce((select local_cases from town_state where publication_id = %(id)s), 0) as local_cases
        from (
            select count(distinct person_key) as persons, count(*) as items
            from overdue
            where publication_id = %(id)s
        ) as overdue
        cross join (
            select count(distinct person_key) as persons, count(*) as items
            from due
            where publication_id = %(id)s and days_until_due = 1
        ) as next_day
        cross join (
            select
                count(*) filter (where level = '高') as high_zones,
                count(*) filter (where level = '中') as medium_zones,
                count(*) filter (where eligible_level is not null) as lowerable_zones
            from risk_zone
            where publication_id = %(id)s
        ) as zones
        """,
        id=publication_id,
    )
    return Headline(totals=totals, **row)


def _slices(
    conn: psycopg.Connection[Any], column: str, publication_id: int, day_before: int | None, code: str | None = None
) -> list[Slice]:
    """Memberships by one column of `compliance_daily`, most overdue first."""
    query = sql.SQL(
        """
        select
            {code} as code,
            coalesce(nullif(daily.{column}, ''), %(blank)s) as name,
            coalesce(sum(daily.required) filter (where daily.publication_id = %(id)s), 0)::bigint as required,
            coalesce(sum(daily.compliant) filter (where daily.publication_id = %(id)s), 0)::bigint as compliant,
            coalesce(sum(daily.overdue) filter (where daily.publication_id = %(id)s), 0)::bigint as overdue,
            case when %(before)s::bigint is not null
                then coalesce(sum(daily.overdue) filter (where daily.publication_id = %(before)s), 0)::bigint
            end as overdue_before
        from compliance_daily as daily
        join publication as publication using (publication_id, as_of_date)
        where daily.publication_id = any(%(ids)s)
        group by 1, 2
        """
    ).format(
        column=sql.Identifier(column),
        code=sql.SQL("daily.{}").format(sql.Identifier(code)) if code else sql.SQL("null::text"),
    )
    ids = [publication_id] if day_before is None else [day_before, publication_id]
    slices = [
        Slice(**row)
        for row in records(conn, query, id=publication_id, before=day_before, ids=ids, blank=BLANK)
        if row["required"] or row["overdue"] or row["overdue_before"]
    ]
    return sorted(slices, key=lambda part: (-part.overdue, -part.required, part.code or "", part.name))


def _units(
    conn: psycopg.Connection[Any], publication_id: int, day_before: int | None
) -> tuple[list[Slice], list[Slice]]:
    """The units with most overdue, and sums of the other ones with overdue and of those without: a town has thousands."""
    found = records(
        conn,
        """
        with units as (
            select
                coalesce(nullif(daily.unit, ''), %(blank)s) collate "C" as name,
                coalesce(sum(daily.required) filter (where daily.publication_id = %(id)s), 0)::bigint as required,
                coalesce(sum(daily.compliant) filter (where daily.publication_id = %(id)s), 0)::bigint as compliant,
                coalesce(sum(daily.overdue) filter (where daily.publication_id = %(id)s), 0)::bigint as overdue,
                case when %(before)s::bigint is not null
                    then coalesce(sum(daily.overdue) filter (where daily.publication_id = %(before)s), 0)::bigint
                end as overdue_before
            from compliance_daily as daily
            join publication as publication using (publication_id, as_of_date)
            where daily.publication_id = any(%(ids)s)
            group by 1
        ),

        placed as (
            select
                *,
                case
                    when overdue = 0 then %(limit)s + 2
                    else least(row_number() over (order by overdue desc, required desc, name), %(limit)s + 1)
                end as place
            from units
            where required > 0 or overdue > 0 or overdue_before > 0
        )

        select
            place, count(*) as units, min(name) as name, sum(required)::bigint as required,
            sum(compliant)::bigint as compliant, sum(overdue)::bigint as overdue,
            sum(overdue_before)::bigint as overdue_before
        from placed
        group by place
        order by place
        """,
        id=publication_id,
        before=day_before,
        ids=[publication_id] if day_before is None else [day_before, publication_id],
        limit=UNIT_ROWS,
        blank=BLANK,
    )
    units, rest = [], []
    for row in found:
        place, count = row.pop("place"), row.pop("units")
        if place <= UNIT_ROWS:
            units.append(Slice(code=None, **row))
        else:
            name = f"其余 {count:,} 个" if place == UNIT_ROWS + 1 else f"无逾期的 {count:,} 个"
            rest.append(Slice(code=None, **row | {"name": name}))
    return units, rest


def _bands(conn: psycopg.Connection[Any], publication_id: int) -> list[Band]:
    found = records(
        conn,
        "select days_overdue, count(*) as items from overdue where publication_id = %(id)s group by 1",
        id=publication_id,
    )
    return in_bands((row["days_overdue"], row["items"]) for row in found)


def _longest(conn: psycopg.Connection[Any], publication_id: int) -> Longest | None:
    found = rows(
        conn,
        Longest,
        """
        with oldest as (
            select
                days_overdue,
                coalesce(nullif(group_name, ''), group_code) as group_name,
                coalesce(nullif(community, ''), %(blank)s) as community
            from overdue
            where publication_id = %(id)s
                and days_overdue = (select max(days_overdue) from overdue where publication_id = %(id)s)
        )
        select days_overdue, sum(count(*)) over ()::bigint as items, group_name, community
        from oldest
        group by days_overdue, group_name, community
        order by count(*) desc, group_name collate "C", community collate "C"
        limit 1
        """,
        id=publication_id,
        blank=BLANK,
    )
    return found[0] if found else None


def _forecast_rows(conn: psycopg.Connection[Any], publication: Publication) -> list[ForecastRow]:
    """Communities by tests due, most first; from the list itself, which a department has a part in, too."""
    found = records(
        conn,
        """
        select coalesce(nullif(community, ''), %(blank)s) as community, due_date, count(*)::bigint as tests_due
        from due
        where publication_id = %(id)s
        group by 1, 2
        """,
        id=publication.publication_id,
        blank=BLANK,
    )
    due = {(row["community"], row["due_date"]): row["tests_due"] for row in found}
    days = [publication.as_of_date + timedelta(days=ahead + 1) for ahead in range(FORECAST_DAYS)]
    return sorted(
        (
            ForecastRow(community, tuple(due.get((community, day), 0) for day in days))
            for community in {row["community"] for row in found}
        ),
        key=lambda row: (-row.total, row.community),
    )


def _zones(conn: psycopg.Connection[Any], publication_id: int) -> list[Zone]:
    return rows(
        conn,
        Zone,
        """
        select
            zone_id, name, coalesce(communities, '{}') as communities, level, level_since, last_positive_date,
            clear_days, residents, round_sampled, round_outstanding, round_complete_on, eligible_level, eligible_on,
            earliest_on, coalesce(overlapping_zones, '{}') as overlapping_zones,
            nullif(mismatch, '') as mismatch, coalesce(blockers, '{}') as blockers
        from risk_zone
        where publication_id = %(id)s
        order by array_position(%(levels)s::text[], level), zone_id collate "C"
        """,
        id=publication_id,
        levels=list(LEVELS),
    )


def _open_items(conn: psycopg.Connection[Any], publication_id: int) -> OpenItems:
    return rows(
        conn,
        OpenItems,
        """
        select
            count(*) filter (where status = 'upcoming') as upcoming,
            count(*) filter (where needs_review) as needs_review
        from obligation
        where publication_id = %(id)s and status in ('upcoming', 'overdue')
        """,
        id=publication_id,
    )[0]


def _feeds(conn: psycopg.Connection[Any], publication_id: int) -> list[Feed]:
    return rows(
        conn,
        Feed,
        """
        select
            feed, title, files, new_files, rows_read, rows_staged, rows_rejected, rows_superseded, rows_repaired,
            rejected_files, newest_update, status, message
        from feed_quality
        where publication_id = %(id)s
        order by rows_read desc, feed collate "C"
        """,
        id=publication_id,
    )


def _rejections(conn: psycopg.Connection[Any], publication_id: int) -> list[Rejection]:
    return rows(
        conn,
        Rejection,
        """
        select coalesce(feed.title, summary.feed) as title, summary.reason, summary.rows
        from rejection_summary as summary
        left join feed_quality as feed using (publication_id, feed)
        where summary.publication_id = %(id)s and summary.rows > 0
        order by summary.rows desc, summary.feed collate "C", summary.reason_code collate "C"
        """,
        id=publication_id,
    )


def _senders(conn: psycopg.Connection[Any], publication_id: int) -> list[Sender]:
    return rows(
        conn,
        Sender,
        """
        select coalesce(feed.title, summary.feed) as title, summary.sender, summary.rows
        from rejection_by_sender as summary
        left join feed_quality as feed using (publication_id, feed)
        where summary.publication_id = %(id)s
        order by summary.rows desc, summary.feed collate "C", summary.sender collate "C"
        limit 30
        """,
        id=publication_id,
    )


def _restatements(conn: psycopg.Connection[Any], publication_id: int) -> list[Restatement]:
    return rows(
        conn,
        Restatement,
        """
        select restated_date, reason, sum(rows)::bigint as rows
        from restatement
        where publication_id = %(id)s
        group by restated_date, reason
        order by restated_date desc, reason collate "C"
        """,
        id=publication_id,
    )


def _checks(conn: psycopg.Connection[Any], publication_id: int) -> list[Check]:
    return rows(
        conn,
        Check,
        """
        select check_name, table_name, severity, failing_rows, message
        from quality_check
        where publication_id = %(id)s and success is not true
        order by severity = 'fail' desc, failing_rows desc nulls last, check_name collate "C", table_name collate "C"
        """,
        id=publication_id,
    )


def _responsible(conn: psycopg.Connection[Any], publication_id: int) -> dict[str, list[str]]:
    """Provision of the plan to its responsible units, in the plan's order."""
    found = records(
        conn,
        """
        select provision, array_agg(unit order by ordinal) as units from responsibility
        where publication_id = %(id)s
        group by provision
        """,
        id=publication_id,
    )
    return {row["provision"]: row["units"] for row in found}
