"""This module returns the second reading as tables: the rows of a day, in the columns of the worked cases' files."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

from tests.oracle import answers, clocks, controls, obligations, town_marts, zones
from tests.oracle.obligations import Obligation
from tests.oracle.policy import DISINFECTIONS_PER_DAY, HEALTH_CHECKS_DAILY
from tests.oracle.records import Book, Source

Cells = list[object]
COLUMNS = {
    "obligation": "membership_id,id_number,group_code,slot,due_date,status,days_overdue,satisfied_on,last_sample_date",
    "due": "membership_id,id_number,group_code,slot,due_date,days_until_due",
    "overdue": "membership_id,id_number,group_code,slot,due_date,days_overdue",
    "control": "id_number,group_code,started_on,ends_on,tests_required,tests_done,may_be_released,released_on",
    "contact_clock": "contact_key,id_number,category,judged_at,isolated_at,hours,within_8h",
    "push_clearance": "feed,push_date,community,pushed,cleared_same_day,open",
    "pool_followup": "tube_no,id_number,tube_result_at,resampled_at,result,status",
    "pharmacy_followup": "purchase_id,id_number,pharmacy,category,purchased_at,pushed_at,investigated_at,"
    "cleared_same_day,test_due_date,tested_on,status",
    "positive_followup": "id_number,case_key,sampled_at,result_at,reported_at,transferred_at,admitted_at,stage,again,"
    "hours,due_at,status",
    "risk_zone": "zone_id,level,level_since,was_high,last_positive_date,clear_days,residents,round_sampled,"
    "round_outstanding,round_complete_on,eligible_level,eligible_on,mismatch,blockers",
    "sampling_unit_daily": "unit,group_code,community,day,roster,required,sampled,shortfall,phase",
    "disinfection_daily": "zone_id,place,day,is_building,required,done,shortfall",
    "vaccination_60plus": "community,age_band,residents,covered,full_course,booster",
    "health_monitoring": "membership_id,id_number,group_code,day,expected,done,highest_temperature,has_symptom,status",
    "disposition_daily": "list,community,grid,items,answered",
    "roster_correction": "id_number,membership_id,result,said_at,unit,community,grid",
    "missing_departure": "membership_id,id_number,ended_on,group_code,unit,community,grid",
}


def compute(records: Source, as_of: date) -> dict[str, list[dict[str, str]]]:
    """Return every table's rows as of the end of a day, by table; cells are text by the names of `COLUMNS`."""
    book = Book(records, as_of)
    owed = obligations.obligations(book)
    return {
        table: [dict(zip(COLUMNS[table].split(","), map(_text, row), strict=True)) for row in rows(book, owed)]
        for table, rows in TABLES.items()
    }


def _text(cell: object) -> str:
    """ "times are 2022-07-12 08:00:00, truths true or false, what is null is empty"."""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, datetime):
        return cell.isoformat(" ", "seconds")
    if isinstance(cell, float):
        return f"{cell:.2f}".rstrip("0").rstrip(".")
    return "" if cell is None else str(cell)


def _item(row: Obligation) -> Cells:
    m = row.membership
    return ["" if m.group == "P24" else m.key, m.person, m.group, row.slot, row.due]


def _obligation(book: Book, owed: list[Obligation]) -> list[Cells]:
    return [
        [*_item(row), row.status, row.days_overdue, row.satisfied_on,
         max(book.sample_days(row.membership.person), default=None)] for row in owed
    ]  # fmt: skip


def _due(book: Book, owed: list[Obligation]) -> list[Cells]:
    return [[*_item(row), days] for row, days in obligations.due_rows(book, owed)]


def _overdue(book: Book, owed: list[Obligation]) -> list[Cells]:
    return [[*_item(row), row.days_overdue] for row in obligations.overdue_rows(owed, book.day)]


def _control(book: Book, owed: list[Obligation]) -> list[Cells]:
    return [
        [c.membership.person, c.membership.group, c.starts_from, c.ends_on, c.required, c.done, c.may_be_released,
         c.released_on] for c in controls.controls(book, owed)
    ]  # fmt: skip


def _contact_clock(book: Book, owed: list[Obligation]) -> list[Cells]:
    return [
        [c.contact_key, c.person, c.category, c.judged_at, c.isolated_at, c.hours, c.within_8h]
        for c in clocks.contact_clock(book)
    ]


def _push_clearance(book: Book, owed: list[Obligation]) -> list[Cells]:
    return [[*key, *counts] for key, counts in clocks.push_clearance(book).items()]


POOL_STATUS = {"upcoming": "waiting", "阴性": "negative", "阳性": "positive", "待出": "pending"}


def _pool_followup(book: Book, owed: list[Obligation]) -> list[Cells]:
    """The status is "`waiting`, `overdue`, `void`, `exempt`, or by the single sample `negative`, `positive`, `pending`"; a
    single sample takes precedence over a lifted obligation.
    """
    rows: list[Cells] = []
    for row in owed:
        member = row.evidence.get("member")
        if isinstance(member, obligations.TubeMember):
            status = POOL_STATUS.get(member.result or row.status, row.status)
            rows.append([member.tube, member.person, member.known_at, member.resampled_at, member.result, status])
    return rows


def _pharmacy_followup(book: Book, owed: list[Obligation]) -> list[Cells]:
    return [
        [p.row["登记编号"], p.row["证件号码"], p.row["药店名称"], p.row["药品类别"], p.row["购药时间"], p.pushed_at,
         p.investigated_at, p.cleared_same_day, p.obligation.due, p.tested_on, p.obligation.status]
        for p in clocks.pharmacy_followup(book)
    ]  # fmt: skip


def _positive_followup(book: Book, owed: list[Obligation]) -> list[Cells]:
    return [
        [p.person, p.case_key, p.sampled_at, p.result_at, p.reported_at, p.transferred_at, p.admitted_at, p.stage, p.again,
         p.hours, p.due_at, p.status] for p in clocks.positive_followup(book)
    ]  # fmt: skip


def _risk_zone(book: Book, owed: list[Obligation]) -> list[Cells]:
    return [
        [z.zone_id, z.level, z.level_since, z.was_high, z.last_positive, z.clear_days, z.residents,
         *([z.round.sampled, z.round.outstanding, z.round.complete_on] if z.round else [None] * 3),
         z.eligible_level, z.eligible_on, z.mismatch, "、".join(z.blockers)] for z in zones.zones(book)
    ]  # fmt: skip


def _sampling_unit_daily(book: Book, owed: list[Obligation]) -> list[Cells]:
    return [
        [u.unit, u.group, u.community, u.day, u.roster, u.required, u.sampled, u.shortfall, u.phase]
        for u in town_marts.sampling_unit_daily(book)
    ]


def _disinfection_daily(book: Book, owed: list[Obligation]) -> list[Cells]:
    return [
        [p.zone, p.place, p.day, p.is_building, DISINFECTIONS_PER_DAY, p.done, p.shortfall]
        for p in zones.disinfection_daily(book)
    ]


def _vaccination_60plus(book: Book, owed: list[Obligation]) -> list[Cells]:
    return [[*key, *counts] for key, counts in town_marts.vaccination_60plus(book).items()]


def _health_monitoring(book: Book, owed: list[Obligation]) -> list[Cells]:
    return [
        [h.membership.key, h.membership.person, h.membership.group, h.day, HEALTH_CHECKS_DAILY, h.done, h.highest,
         h.has_symptom, h.status] for h in controls.health_monitoring(book)
    ]  # fmt: skip


def _disposition_daily(book: Book, owed: list[Obligation]) -> list[Cells]:
    return [[*key, *counts] for key, counts in answers.disposition_daily(book, owed).items()]


def _roster_correction(book: Book, owed: list[Obligation]) -> list[Cells]:
    return [
        [c.membership.person, c.membership.key, c.answer["处置结果"], c.answer["处置时间"], c.membership.unit,
         c.membership.community, c.membership.grid] for c in answers.roster_correction(book, owed)
    ]  # fmt: skip


def _missing_departure(book: Book, owed: list[Obligation]) -> list[Cells]:
    return [
        [row["记录编号"], row["证件号码"], row["移出日期"], row["人群编号"], row["工作单位"], row["社区"], row["网格"]]
        for row in answers.missing_departure(book)
    ]


TABLES: dict[str, Callable[[Book, list[Obligation]], list[Cells]]] = {
    "obligation": _obligation, "due": _due, "overdue": _overdue, "control": _control, "contact_clock": _contact_clock,
    "push_clearance": _push_clearance, "pool_followup": _pool_followup, "pharmacy_followup": _pharmacy_followup,
    "positive_followup": _positive_followup, "risk_zone": _risk_zone, "sampling_unit_daily": _sampling_unit_daily,
    "disinfection_daily": _disinfection_daily, "vaccination_60plus": _vaccination_60plus,
    "health_monitoring": _health_monitoring, "disposition_daily": _disposition_daily,
    "roster_correction": _roster_correction, "missing_departure": _missing_departure,
}  # fmt: skip
