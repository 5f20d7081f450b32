"""This module deletes personal data after its retention period (seed retention_rule), and records what was deleted.

Open matters and the evidence for them are kept (docs/decisions/retention.md). Days are counted back from a given date, never
from the clock; a record whose last day lies exactly `days` before that date is kept.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from yingjian.clock import SHANGHAI
from yingjian.database import locks
from yingjian.privacy import correction
from yingjian.privacy.audit_trail import record

_PACKS = re.compile(r"(\d{4}-\d{2}-\d{2})-p\d+")


@dataclass(frozen=True)
class Deletion:
    """A deletion counts the rows (or files) deleted in one place, and those past the limit that must be kept."""

    what: str
    before: date
    rows: int
    rows_kept: int


# Marts show a record key with the document number replaced by the person key (dbt_project/macros/record_key.sql).
_SHOWN_KEY = "replace({}, t.id_number, t.person_key)"

# Each feed has the date of a row `t` from which its retention period counts, and a condition under which it may be deleted.
# The order matters: first the events that samples are evidence for, then the persons' own records, then the samples and other
# evidence about deleted persons.
_LEAVING = "t.person_key in (select leaving.person_key from pg_temp.leaving)"
# The membership of a person who could not be found ends on that day (docs/policy.md, `A07`).
_GONE_ON = "case when t.verification_result in ('已离开', '信息有误') then t.verified_at::date end"
_OVER = {
    "declarations": ("ended.over_on", "not ended.is_outbreak or ended.over_on < ended.outbreaks_kept_from"),
    "risk_zones": ("zone.lowered_on", "true"),
    "key_population": ("least(t.end_date, released.on_date)", _LEAVING),
    "arrivals": ("coalesce(released.on_date, t.arrival_date)", _LEAVING),
    "contacts": ("coalesce(released.on_date, t.judged_at::date)", _LEAVING),
    "referrals": (f"coalesce(least(released.on_date, {_GONE_ON}), t.handed_down_at::date)", _LEAVING),
    "pharmacy_purchases": ("t.purchased_at::date", _LEAVING),
    "cases": ("t.discharge_date", _LEAVING),
    "residents": ("t.moved_out_date", "t.moved_out_date < events.kept_from"),
    "test_results": (
        "t.sampled_at::date",
        """
        t.sampled_at::date < events.kept_from
        and not exists (
            select from pg_temp.duty where duty.person_key = t.person_key and duty.proved_from <= t.sampled_at::date
        )
        and not exists (
            select from pg_temp.newest_sample as newest
            where newest.sample_key = t.sample_key and newest.id_number = t.id_number
        )
        and not exists (
            select from pg_temp.open_positive as positive
            where positive.person_key = t.person_key and positive.since <= t.sampled_at::date
        )
        and not exists (select from pg_temp.open_tube where open_tube.tube_no = t.tube_no)
        """,
    ),
    "exemptions": (
        "t.end_date",
        "not exists (select from pg_temp.duty where duty.person_key = t.person_key and duty.since <= t.end_date)",
    ),
    "vaccinations": (
        "coalesce(t.vaccinated_date, t.updated_at::date)",  # A refusal has no date of its own.
        "not exists (select from staging.residents as home where home.person_key = t.person_key)",
    ),
    "health_checks": (
        "t.measured_at::date",
        "not exists (select from pg_temp.duty where duty.person_key = t.person_key and duty.since <= t.measured_at::date)",
    ),
    "guests": (
        "coalesce(t.checked_out_at, t.checked_in_at)::date",
        """
        not exists (
            select from pg_temp.duty
            where duty.person_key = t.person_key and duty.since <= coalesce(t.checked_out_at, t.checked_in_at)::date
        )
        """,
    ),
    # The key of an obligation is the record's key, its group and its slot. Items of other lists are open while they are listed.
    "dispositions": (
        "t.handled_at::date",
        """
        not exists (select from pg_temp.duty where duty.record_key = regexp_replace(t.item_key, '(/[^/]*){2}$', ''))
        and not exists (select from pg_temp.answered_item where answered_item.item_id = trim(t.item_key))
        """,
    ),
    "releases": (
        "t.release_date",
        f"not exists (select from pg_temp.duty where duty.record_key = {_SHOWN_KEY.format('t.record_key')})",
    ),
    "disinfections": (
        "t.started_at::date",
        """
        not exists (select from staging.risk_zones as zone where zone.zone_key = t.zone_key)
        and not exists (select from staging.cases as infected where infected.case_key = t.case_key)
        """,
    ),
    "inspections": (
        "coalesce(t.mended_at, t.inspected_at)::date",
        "not exists (select from pg_temp.open_inspection as open where open.inspection_id = t.inspection_key)",
    ),
    "requests": ("t.closed_at::date", "true"),
    "events": ("t.held_on", "true"),
    # The last report of a site, a stock or a drill is kept, because it is its current state.
    "isolation_sites": (
        "t.reported_on",
        """
        exists (
            select from staging.isolation_sites as later
            where later.site_key = t.site_key and later.reported_on > t.reported_on
        )
        """,
    ),
    "supplies": (
        "t.reported_on",
        """
        exists (
            select from staging.supplies as later
            where later.supply_key = t.supply_key and later.reported_on > t.reported_on
        )
        """,
    ),
    "drills": (
        "t.held_on",
        """
        exists (
            select from staging.drills as later
            where later.drill_type = t.drill_type and later.article is not distinct from t.article and later.held_on > t.held_on
        )
        """,
    ),
}
_EVENTS = ("declarations", "risk_zones")

# The conditions above refer to these tables.
_JOINS = {
    "declarations": "inner join pg_temp.declaration_over as ended on ended.notice_key = t.notice_key",
    "risk_zones": "inner join pg_temp.zone_over as zone on zone.zone_key = t.zone_key",
    "key_population": "left join pg_temp.released on released.record_key = t.record_key",
    "arrivals": "left join pg_temp.released on released.record_key = 'arrivals:' || t.arrival_key",
    "contacts": "left join pg_temp.released on released.record_key = 'contacts:' || t.contact_key",
    "referrals": "left join pg_temp.released on released.record_key = 'referrals:' || t.referral_key",
    "residents": "cross join pg_temp.events",
    "test_results": "cross join pg_temp.events",
}

# These records decide whether a person's data is kept. Each has a record key, a first day, the first day whose samples are
# evidence for it (null: only the newest samples are), and another condition that keeps it.
_ARRIVED = "least(t.arrival_date, t.entry_date, t.left_date)"
_HANDED_DOWN = "least(t.last_exposure_date, t.handed_down_at::date)"
_BEGAN = "least(t.start_date, t.anchor_date)"
_DUTIES = {
    "key_population": ("t.record_key", _BEGAN, f"case when t.anchor_date is not null then {_BEGAN} end", "false"),
    "arrivals": ("'arrivals:' || t.arrival_key", _ARRIVED, _ARRIVED, "false"),
    "contacts": ("'contacts:' || t.contact_key", "t.last_exposure_date", "t.last_exposure_date", "false"),
    "referrals": ("'referrals:' || t.referral_key", _HANDED_DOWN, _HANDED_DOWN, "false"),
    "pharmacy_purchases": ("null", "t.purchased_at::date", "t.purchased_at::date", "false"),
    "cases": (
        "null", "t.sample_date", "t.sample_date", "t.zone_key in (select zone.zone_key from staging.risk_zones as zone)",
    ),
}  # fmt: skip


def retain(
    loader: psycopg.Connection[Any],
    publisher: psycopg.Connection[Any],
    as_of: date,
    *,
    reports: Path,
    pulled: Path,
    shared: Path,
) -> list[Deletion]:
    """Delete what is past its retention period on `as_of`; return the deletions of each place.

    loader, publisher: connections as these roles. reports, pulled: folders of the home; shared: the shared folder. Rows are
    deleted and recorded in one transaction. Nothing is deleted before the first publication, because only a publication says
    who still has open items.
    """
    days = _rules(loader)
    publication = loader.execute(
        "select publication_id, as_of_date from published.current inner join published.publication using (publication_id)"
    ).fetchone()
    loader.commit()
    if not days or publication is None:
        return []
    before = {what: as_of - timedelta(days=number) for what, number in days.items()}
    with loader.transaction():
        _forget_changes(loader)
        deletions = _staging(loader, before, publication[0])
        deletions += _rejected(loader, before)
        deletions += _corrections(loader, before)
        deletions += _files(before, reports, pulled, shared, publication[1])
        _keep_record(loader, deletions)
    return deletions + _published(publisher, before, publication[0]) + _addresses(publisher, before)


def _rules(conn: psycopg.Connection[Any]) -> dict[str, int]:
    """Return the retention period in days by place; empty before dbt has loaded the seed."""
    if conn.execute("select to_regclass('policy.retention_rule') is null").fetchone() == (True,):
        return {}
    return dict(conn.execute("select what, days from policy.retention_rule where days is not null").fetchall())


def _forget_changes(conn: psycopg.Connection[Any]) -> None:
    """Delete changes of samples that dbt has read and that were published."""
    conn.execute(
        """
        delete from staging.sample_change where change_id <= least(
            (select coalesce(min(change_id), 0) from intermediate.increment_progress),
            (select coalesce(max(last_change_id), 0) from published.publication)
        )
        """
    )


def _staging(conn: psycopg.Connection[Any], before: Mapping[str, date], publication_id: int) -> list[Deletion]:
    # Deletion and landing of a feed exclude each other; locks are taken in landing's order, which prevents deadlocks.
    for feed in sorted(_OVER):
        locks.hold(conn, locks.landing(feed))
    _find_open(conn, publication_id)
    _find_events(conn)
    deletions = [_delete(conn, feed, before) for feed in _EVENTS]
    _find_floor(conn)
    _find_leaving(conn, before)
    deletions += [_delete(conn, feed, before) for feed in _OVER if feed not in _EVENTS]
    return [*deletions, _delete_given(conn, before), _delete_sent(conn, before)]


def _find_open(conn: psycopg.Connection[Any], publication_id: int) -> None:
    """Create tables of the persons and items that are open in the current publication, and of the day of each full release."""
    conn.execute(
        """
        create temporary table open_person on commit drop as
        select person_key from published.obligation
        where publication_id = %(id)s and status in ('upcoming', 'overdue')
        union
        select person_key from published.control
        where publication_id = %(id)s and released_on is null and status not in ('infected', 'restarted')
        union
        select person_key from published.zone_blocker where publication_id = %(id)s
        union
        select person_key from published.positive_followup where publication_id = %(id)s and status in ('waiting', 'overdue')
        union
        select member.person_key from published.pool_followup as member
        inner join published.pool_followup as open on member.tube_no = open.tube_no
        where member.publication_id = %(id)s and open.publication_id = %(id)s and open.status in ('waiting', 'overdue')
        """,
        {"id": publication_id},
    )
    # Open positives and tubes are computed from samples: if those were deleted, the items would vanish from the lists.
    for statement in (
        """
        create temporary table open_positive on commit drop as
        select person_key, least(sampled_at, due_at)::date as since from published.positive_followup
        where publication_id = %(id)s and status in ('waiting', 'overdue')
        """,
        """
        create temporary table open_tube on commit drop as
        select distinct tube_no from published.pool_followup
        where publication_id = %(id)s and status in ('waiting', 'overdue')
        """,
        "create temporary table answered_item on commit drop as"
        " select distinct item_id from published.disposition where publication_id = %(id)s",
        """
        create temporary table open_inspection on commit drop as
        select inspection_id from published.inspection_followup
        where publication_id = %(id)s and status in ('waiting', 'overdue')
        """,
    ):
        conn.execute(statement, {"id": publication_id})  # type: ignore[arg-type]
    conn.execute(
        """
        create temporary table released on commit drop as
        select record_key, min(release_date) as on_date from staging.releases
        where release_type = '全部管控' group by record_key
        """
    )


def _find_events(conn: psycopg.Connection[Any]) -> None:
    """Create tables of the day each declaration ended and each zone was last lowered to 低; null while it goes on."""
    conn.execute(
        """
        create temporary table declaration_over on commit drop as
        with ended as (
            select
                start.notice_key,
                start.started_at::date as started_on,
                least(start.ended_at, (
                    select min(finish.started_at) from staging.declarations as finish
                    where finish.declaration_type = '疫情结束' and finish.started_at > start.started_at
                    and coalesce(finish.communities, '') in ('', coalesce(start.communities, ''))
                    and coalesce(finish.grids, '') in ('', coalesce(start.grids, ''))
                ))::date as over_on
            from staging.declarations as start where start.declaration_type = '疫情启动'
        )
        select
            declarations.notice_key,
            case declaration_type
                when '区域核酸' then coalesce(declarations.ended_at, declarations.started_at)::date
                when '疫情启动' then ended.over_on
                else declarations.started_at::date
            end as over_on,
            declaration_type <> '区域核酸' as is_outbreak,
            null::date as outbreaks_kept_from
        from staging.declarations left join ended on ended.notice_key = declarations.notice_key
        """
    )
    conn.execute(
        """
        create temporary table zone_over on commit drop as
        select zone_key, case when level = '低' then effective_date end as lowered_on from (
            select distinct on (zone_key) zone_key, level, effective_date from staging.risk_zones
            order by zone_key, effective_date desc, updated_at desc
        ) as newest
        """
    )


def _find_floor(conn: psycopg.Connection[Any]) -> None:
    """Find the first day of the rounds, outbreaks and zones that are kept: evidence from that day on must be kept too."""
    conn.execute(
        """
        create temporary table events on commit drop as
        select coalesce(least(
            (select min(started_at::date) from staging.declarations where declaration_type <> '疫情结束'),
            (select min(effective_date) from staging.risk_zones)
        ), 'infinity'::date) as kept_from
        """
    )


def _find_leaving(conn: psycopg.Connection[Any], before: Mapping[str, date]) -> None:
    """Find the persons to delete: those whose records are all over. `duty` has the records of the persons who are kept."""
    records = " union all ".join(
        f"""
        select t.person_key, {_SHOWN_KEY.format(key)} as record_key, {since} as since, {proved_from} as proved_from,
            coalesce(({_OVER[feed][0]}) < date '{before.get(feed, "-infinity")}' and not coalesce({held}, false), false)
                as is_over
        from staging.{feed} as t {_JOINS.get(feed, "")}
        """
        for feed, (key, since, proved_from, held) in _DUTIES.items()
    )
    conn.execute(f"create temporary table duty on commit drop as {records}")  # type: ignore[arg-type]
    for statement in (
        """
        create temporary table leaving on commit drop as
        select person_key from pg_temp.duty
        where person_key not in (select person_key from pg_temp.open_person)
        group by person_key having bool_and(is_over)
        """,
        "delete from pg_temp.duty where person_key in (select person_key from pg_temp.leaving)",
        "create index on pg_temp.duty (person_key)",
        "create index on pg_temp.duty (record_key)",
        # Explanations show the two newest samples, so these are kept.
        """
        create temporary table newest_sample on commit drop as
        select sample_key, id_number from (
            select sample_key, id_number, row_number() over (partition by person_key order by sampled_at desc) as place
            from staging.test_results where result <> '无效' and person_key in (select person_key from pg_temp.duty)
        ) as samples
        where place <= 2
        """,
        "analyze pg_temp.duty, pg_temp.leaving, pg_temp.newest_sample",
    ):
        conn.execute(statement)  # type: ignore[arg-type]


def _delete(conn: psycopg.Connection[Any], feed: str, before: Mapping[str, date]) -> Deletion:
    day = before.get(feed, date.min)
    over_on, condition = _OVER[feed]
    join = _JOINS.get(feed, "")
    if feed == "declarations":
        # Overlapping outbreaks count as one: an outbreak is kept while another one that began before its end is kept.
        conn.execute(
            """
            update pg_temp.declaration_over set outbreaks_kept_from = coalesce((
                select min(started_at::date) from staging.declarations
                inner join pg_temp.declaration_over as other using (notice_key)
                where declaration_type = '疫情启动' and not coalesce(other.over_on < %s, false)
            ), 'infinity')
            """,
            (day,),
        )
    old = f"from staging.{feed} as t {join} where ({over_on}) < %(day)s"
    row = conn.execute(f"select count(*) {old}", {"day": day}).fetchone()  # type: ignore[arg-type]
    deleted = conn.execute(
        f"""
        with gone as (
            delete from staging.{feed} where ctid in (select t.ctid {old} and ({condition})) returning file_id
        ), counted as (
            update quality.landed_file set rows_deleted = rows_deleted + files.rows
            from (select file_id, count(*) as rows from gone group by file_id) as files
            where landed_file.file_id = files.file_id
        )
        select count(*) from gone
        """,  # type: ignore[arg-type]
        {"day": day},
    ).fetchone()
    assert row is not None and deleted is not None
    return Deletion(feed, day, deleted[0], row[0] - deleted[0])


def _delete_given(conn: psycopg.Connection[Any], before: Mapping[str, date]) -> Deletion:
    """Delete dispositions that officials gave in the portal, by the same rule as those that were landed from files."""
    day = before.get("dispositions", date.min)
    over_on, condition = _OVER["dispositions"]
    old = "from (select given.*, item_id as item_key, ctid as place from portal.disposition as given) as t"
    row = conn.execute(f"select count(*) {old} where ({over_on}) < %(day)s", {"day": day}).fetchone()  # type: ignore[arg-type]
    deleted = conn.execute(
        f"delete from portal.disposition where ctid in (select t.place {old} where ({over_on}) < %(day)s and ({condition}))",  # type: ignore[arg-type]
        {"day": day},
    )
    assert row is not None
    return Deletion("portal_disposition", day, deleted.rowcount, row[0] - deleted.rowcount)


def _delete_sent(conn: psycopg.Connection[Any], before: Mapping[str, date]) -> Deletion:
    """Delete files that senders uploaded in the portal, by the rule of fetched files; the record of the upload is kept."""
    day = before.get("pulled", date.min)
    deleted = conn.execute(
        """
        delete from portal.sent_file as file using portal.sending as sent
        where sent.sending_id = file.sending_id and (sent.sent_at at time zone 'Asia/Shanghai')::date < %s
        """,
        (day,),
    )
    return Deletion("portal_sent_file", day, deleted.rowcount, 0)


def _rejected(conn: psycopg.Connection[Any], before: Mapping[str, date]) -> list[Deletion]:
    """Remove personal data from rows in quarantine and from contradictions; the rows themselves are kept for counts.

    Corrections that officials proposed for these rows are deleted.
    """
    if "rejected_row" not in before:
        return []
    day = before["rejected_row"]
    emptied = conn.execute(
        """
        update quality.rejected_row set raw_text = '', record_key = null, cells = null, typed = null
        where (rejected_at at time zone 'Asia/Shanghai')::date < %s
        and (raw_text <> '' or record_key is not null or cells is not null or typed is not null)
        """,
        (day,),
    ).rowcount
    emptied += conn.execute(
        """
        update quality.contradiction set record_key = null
        where (found_at at time zone 'Asia/Shanghai')::date < %s and record_key is not null
        """,
        (day,),
    ).rowcount
    proposed = conn.execute(
        """
        delete from portal.correction as proposed where not exists (
            select from quality.rejected_row as rejected
            where rejected.rejected_id = proposed.rejected_id
            and (rejected.rejected_at at time zone 'Asia/Shanghai')::date >= %s
        )
        """,
        (day,),
    ).rowcount
    return [Deletion("rejected_row", day, emptied, 0), Deletion("portal_correction", day, proposed, 0)]


def _corrections(conn: psycopg.Connection[Any], before: Mapping[str, date]) -> list[Deletion]:
    """Delete old corrections of documents if no row of either document is left."""
    if "document_correction" not in before:
        return []
    day = before["document_correction"]
    return [Deletion("document_correction", day, *correction.forget(conn, day))]


def _files(before: Mapping[str, date], reports: Path, pulled: Path, shared: Path, current: date) -> list[Deletion]:
    """Delete old packs, which hold names, their copies in the shared folder, and stored pages of the platform's API."""
    deletions = []
    for what, folders in (("packs", reports.glob("*")), ("shared", shared.glob("**/*-p*"))):
        if what not in before:
            continue
        day, count = before[what], 0
        for folder in sorted(folders):
            named = _PACKS.fullmatch(folder.name)
            if named and folder.is_dir() and (of := date.fromisoformat(named[1])) < day and of != current:
                shutil.rmtree(folder)
                count += 1
        deletions.append(Deletion(what, day, count, 0))
    if "pulled" in before:
        day, count = before["pulled"], 0
        for path in sorted(pulled.glob("*/*")):
            if path.is_file() and datetime.fromtimestamp(path.stat().st_mtime, SHANGHAI).date() < day:
                path.unlink()
                count += 1
        deletions.append(Deletion("pulled", day, count, 0))
    return deletions


def _published(conn: psycopg.Connection[Any], before: Mapping[str, date], current: int) -> list[Deletion]:
    """Drop partitions with a row per person of publications of old business dates; aggregates are kept.

    The partitions of marts that this version no longer has are dropped, too.
    """
    if "published_persons" not in before:
        return []
    day = before["published_persons"]
    partitions = conn.execute(
        """
        select mart.relname, partition.relname
        from pg_inherits
        inner join pg_class as partition on partition.oid = inhrelid
        inner join pg_class as mart on mart.oid = inhparent
        inner join pg_attribute on attrelid = mart.oid and attname = 'person_key'
        inner join published.publication on partition.relname = mart.relname || '_p' || publication_id
        where mart.relnamespace = 'published'::regnamespace and as_of_date < %s and publication_id <> %s
        order by publication_id, mart.relname
        """,
        (day, current),
    ).fetchall()
    conn.commit()
    deletions = []
    for mart, partition in partitions:
        with conn.transaction():  # One transaction each: a lock that waits for a reader holds up no other table.
            name = sql.Identifier("published", partition)
            row = conn.execute(sql.SQL("select count(*) from {}").format(name)).fetchone()
            conn.execute(sql.SQL("drop table {}").format(name))
            assert row is not None
            deletion = Deletion(f"published.{mart}", day, row[0], 0)
            _keep_record(conn, [deletion])
        deletions.append(deletion)
    return deletions


def _addresses(conn: psycopg.Connection[Any], before: Mapping[str, date]) -> list[Deletion]:
    """Remove the addresses of old deliveries; the official, the state and the times are kept.

    A shared attempt, which is never made, has no end; it counts from the time at which it was due.
    """
    if "delivery_addresses" not in before:
        return []
    day = before["delivery_addresses"]
    with conn.transaction():
        emptied = conn.execute(
            """
            update delivery.attempt set target = 'deleted ' || attempt_id, reference = null
            where (case state when 'shared' then not_before else ended_at end at time zone 'Asia/Shanghai')::date < %s
            and target not like 'deleted %%'
            """,
            (day,),
        ).rowcount
        deletion = Deletion("delivery_addresses", day, emptied, 0)
        _keep_record(conn, [deletion])
    return [deletion]


def _keep_record(conn: psycopg.Connection[Any], deletions: list[Deletion]) -> None:
    """Record each deletion in quality.deletion, and all of them as one audit event, unless nothing was deleted."""
    with_rows = [deletion for deletion in deletions if deletion.rows]
    for deletion in with_rows:
        conn.execute(
            "insert into quality.deletion (what, before_date, rows_deleted, rows_kept) values (%s, %s, %s, %s)",
            (deletion.what, deletion.before, deletion.rows, deletion.rows_kept),
        )
    if with_rows:
        counts = {deletion.what: deletion.rows for deletion in with_rows}
        record(conn, "retention", "deletion", "retention_rule", None, **counts)
