"""The daily figures of the report: each with its definition, its article, its last 14 days and its change.

`INDICATORS` is the one list of them; page, spreadsheet and PDF write the same. A day's value is read from the
publication of that day, as it was published then; inside `narrowed` it is the audience's own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from yingjian.database.rows import records
from yingjian.modelling.marts import published
from yingjian.reports import text

NAMED = 3  # places of which a figure says that they rose


@dataclass(frozen=True)
class Indicator:
    """A count (`part`), or with `whole` a share, of a mart's rows on one business date.

    `part`, `whole`, `where` and `place` are SQL over the mart's columns; `place` says where a count stands.
    `section` is the anchor of the report's section; `better` is less, more or empty where neither is.
    """

    key: str
    section: str
    label: str
    unit: str
    basis: str
    definition: str
    mart: str
    part: str
    whole: str = ""
    where: str = "true"
    place: str = ""
    better: str = "less"

    @property
    def is_share(self) -> bool:
        return bool(self.whole)


@dataclass(frozen=True)
class Series:
    """An indicator's values on the days of the trend, the report's day last; None where a day has none.

    `before` is the value of the day before; `risen` names the places where a count rose most since then, with by how
    much.
    """

    indicator: Indicator
    values: Sequence[int | float | None]
    before: int | float | None
    risen: Sequence[tuple[str, int]] = ()

    @property
    def today(self) -> int | float | None:
        return self.values[-1] if self.values else None

    @property
    def written(self) -> str:
        return self.write(self.today)

    @property
    def change(self) -> str:
        """The difference from the day before, with its direction."""
        if self.today is None or self.before is None:
            return text.NOTHING
        if self.indicator.is_share:
            return text.change_of_share(self.today, self.before)
        return text.change(int(self.today - self.before))

    @property
    def tone(self) -> str:
        """Whether the change is for the better: good, bad, or empty where it is neither."""
        sign = self.change[:1]
        if not self.indicator.better or sign not in "▲▼":
            return ""
        return "good" if (sign == "▲") == (self.indicator.better == "more") else "bad"

    @property
    def has_trend(self) -> bool:
        """At least two days, and one of them not zero: else a chart shows nothing."""
        known = [value for value in self.values if value is not None]
        return len(known) > 1 and any(known)

    def write(self, value: int | float | None) -> str:
        if value is None:
            return text.NOTHING
        if self.indicator.is_share:
            return text.percent(value)
        return f"{text.number(int(value))} {self.indicator.unit}"


INDICATORS = (
    Indicator(
        "overdue", "overdue", "逾期人次", "人次", "第18、21条",
        "当日24时有逾期项目的人群身份数；一人属两类人群计两次。",
        "compliance_daily", "sum(overdue)", place="community",
    ),
    Indicator(
        "compliance", "overdue", "已达标率", "", "第18、21条",
        "没有逾期项目的人次 ÷ 应检在管人次，向下取一位小数。",
        "compliance_daily", "sum(compliant)", "sum(required)", better="more",
    ),
    Indicator(
        "zones", "zones", "中高风险区", "个", "第28条",
        "当日24时按通告为中、高风险的区域数。",
        "risk_zone", "count(*)", where="level in ('高', '中')", place="coalesce(nullif(name, ''), zone_id)",
    ),
    Indicator(
        "screening-coverage", "screening", "24小时内完成率", "", "第34条",
        "近7日到时限的各轮：24小时内采样人数 ÷ 应采人数。",
        "screening_round", "sum(sampled_in_time)", "sum(in_scope)",
        where="deadline > as_of_date - 6 and deadline <= as_of_date + 1", better="more",
    ),
    Indicator(
        "screening-outstanding", "screening", "时限已过未采", "人", "第21、34条",
        "24小时时限已过的各轮仍未采样的人数，不含感染者。",
        "screening_round", "sum(outstanding - outstanding_infected)", where="deadline <= as_of_date + 1",
        place="community",
    ),
    Indicator(
        "sampling-done", "outbreak", "当日抽检完成率", "", "第10、11条，附件第23–28项",
        "各单位当日已检（至多计到应检）÷ 应检。",
        "sampling_unit_daily", "sum(least(sampled, required))", "sum(required)", where="sampling_day = as_of_date",
        better="more",
    ),
    Indicator(
        "sampling-short", "outbreak", "抽检不足的单位", "个", "第10、11条，附件第23–28项",
        "当日已检少于应检的单位数。",
        "sampling_unit_daily", "count(*)", where="sampling_day = as_of_date and shortfall > 0", place="unit",
    ),
    Indicator(
        "controlled", "controls", "隔离和监测在管", "人", "第4、6、8、18、25、26、30条",
        "当日24时在隔离或健康监测期内的人数。",
        "control", "count(*)", where="status in ('in_isolation', 'in_monitoring')", better="",
    ),
    Indicator(
        "blocked", "controls", "期满条件不齐", "人", "第4、25、26、30条",
        "期满待解除、但缺检测、结果或三阴性的人数。",
        "control", "count(*)", where="status = 'awaiting_release' and not may_be_released", place="community",
    ),
    Indicator(
        "contacts-in-time", "contacts", "8小时内隔离率", "", "第25、26条",
        "当日到8小时时限的密接、次密接中，按规定隔离的比例。",
        "contact_clock", "count(*) filter (where status = 'in_time')", "count(*)",
        where="deadline > as_of_date and deadline <= as_of_date + 1 and status <> 'running'", better="more",
    ),
    Indicator(
        "contacts-overdue", "contacts", "超过8小时未隔离", "人", "第25、26条",
        "判定后超过8小时仍未按规定隔离的密接、次密接。",
        "contact_clock", "count(*)", where="status = 'overdue'", place="community",
    ),
    Indicator(
        "pushes-same-day", "pushes", "当日清零率", "", "第7条",
        "当日推送的名单中，当日24时前排查的比例。",
        "push_clearance", "sum(cleared_same_day)", "sum(pushed)", where="push_date = as_of_date", better="more",
    ),
    Indicator(
        "pushes-open", "pushes", "推送未清", "条", "第7条",
        "推送后至当日24时没有排查的记录。",
        "push_clearance", "sum(open)", place="community",
    ),
    Indicator(
        "pools-overdue", "pools", "超时未单采", "人", "第24条",
        "混管阳性结果出来24小时后仍未单采的管内人员。",
        "pool_followup", "count(*)", where="status = 'overdue'", place="community",
    ),
    Indicator(
        "purchases-tested", "pharmacy", "购药按时检测率", "", "第19条",
        "检测期限在当日的购药中，按时检测的比例（购药次日24时前）。",
        "pharmacy_followup", "count(*) filter (where status = 'satisfied')", "count(*)",
        where="test_due_date = as_of_date and status in ('satisfied', 'satisfied_late', 'overdue')", better="more",
    ),
    Indicator(
        "purchases-overdue", "pharmacy", "购药逾期未检", "次", "第19条",
        "购买监测药品后到期未检测的购药次数。",
        "pharmacy_followup", "count(*)", where="status = 'overdue'", place="community",
    ),
    Indicator(
        "disinfection", "disinfection", "当日消毒完成率", "", "第27条",
        "中高风险区当日已做（至多计到应做）÷ 应做次数（每天至少2次）。",
        "disinfection_daily", "sum(least(done, required))", "sum(required)", where="disinfection_date = as_of_date",
        better="more",
    ),
    Indicator(
        "terminal", "disinfection", "未完成终末消毒", "处", "第27条",
        "感染者居所、工作、诊疗场所和转运工具中，没有完成终末消毒的。",
        "terminal_disinfection", "count(*)", where="not is_done", place="community",
    ),
    Indicator(
        "vaccination", "vaccination", "60岁以上三剂接种率", "", "第22条",
        "60周岁及以上在册居民中，已种第三剂的比例。",
        "vaccination_60plus", "sum(dose_3)", "sum(residents_60plus)", better="more",
    ),
    Indicator(
        "teams-short", "readiness", "备勤缺员", "人", "第34至37条",
        "各备勤队伍名册比方案应有人数少的人数。",
        "readiness", "sum(shortfall)", place="level || community || team_type",
    ),
    Indicator(
        "feeds", "quality", "缺报、滞后、退回的数据", "类", "第20条",
        "当日未按要求送到的数据种类：缺报、滞后、偏少或整份退回。",
        "feed_quality", "count(*)", where="status <> 'ok'", place="title",
    ),
    Indicator(
        "rejected", "quality", "累计退回", "行", "第20条",
        "因缺项、错码等未能入库的行，自启用以来累计。",
        "feed_quality", "sum(rows_rejected)", place="title",
    ),
)  # fmt: skip


def read_series(
    conn: psycopg.Connection[Any],
    by_day: Sequence[int | None],
    kept: Collection[int],
    before: int | None,
    hidden: frozenset[str] = frozenset(),
) -> tuple[Series, ...]:
    """Every indicator on the days of the trend: `by_day` are their publications, the report's own last, None a gap.

    Of publications that are not in `kept` only the marts with `history` are still there. `before` is the publication of
    the day before, None where there is none. Figures of `hidden` marts are left out: the audience has no part in them.
    """
    all_kept = [publication_id if publication_id in kept else None for publication_id in by_day]
    return tuple(
        _series(conn, indicator, by_day if published()[indicator.mart].is_history else all_kept, before)
        for indicator in INDICATORS
        if indicator.mart not in hidden
    )


def _series(
    conn: psycopg.Connection[Any], indicator: Indicator, by_day: Sequence[int | None], before: int | None
) -> Series:
    kept = [publication_id for publication_id in by_day if publication_id is not None]
    query = sql.SQL(
        """
        select publication_id, ({part})::bigint as part, ({whole})::bigint as whole
        from {mart} where publication_id = any(%(ids)s) and ({where})
        group by publication_id
        """
    ).format(**_parts(indicator))
    found = {row["publication_id"]: row for row in records(conn, query, ids=kept)}
    by_publication = {publication_id: _value(indicator, found.get(publication_id)) for publication_id in kept}
    values = [None if publication_id is None else by_publication[publication_id] for publication_id in by_day]
    earlier = None if before is None else by_publication.get(before)
    series = Series(indicator, values, earlier)
    if series.tone != "bad" or not indicator.place or indicator.is_share:
        return series
    return Series(indicator, values, earlier, _risen(conn, indicator, kept[-1], before))


def _value(indicator: Indicator, row: Mapping[str, Any] | None) -> int | float | None:
    """A publication without rows counts nothing, and has no share."""
    if indicator.is_share:
        return text.share(row["part"] or 0, row["whole"] or 0) if row else None
    return (row["part"] or 0) if row else 0


def _risen(
    conn: psycopg.Connection[Any], indicator: Indicator, now: int, before: int | None
) -> Sequence[tuple[str, int]]:
    query = sql.SQL(
        """
        with placed as (
            select publication_id, ({place}) collate "C" as place, ({part})::bigint as part
            from {mart} where publication_id = any(%(ids)s) and ({where})
            group by 1, 2
        )
        select
            coalesce(nullif(place, ''), '（未填）') as place,
            (sum(part) filter (where publication_id = %(now)s)
                - coalesce(sum(part) filter (where publication_id = %(before)s), 0))::bigint as risen
        from placed
        group by 1
        having sum(part) filter (where publication_id = %(now)s)
            > coalesce(sum(part) filter (where publication_id = %(before)s), 0)
        order by risen desc, place
        limit %(named)s
        """
    ).format(**_parts(indicator))
    found = records(conn, query, ids=[before, now], now=now, before=before, named=NAMED)
    return [(row["place"], row["risen"]) for row in found]


def _parts(indicator: Indicator) -> dict[str, sql.Composable]:
    """An indicator's SQL; it is written above, nothing of it comes from data."""
    return {
        "mart": sql.Identifier(indicator.mart),
        "part": sql.SQL(indicator.part),  # type: ignore[arg-type]
        "whole": sql.SQL(indicator.whole or "null"),  # type: ignore[arg-type]
        "where": sql.SQL(indicator.where),  # type: ignore[arg-type]
        "place": sql.SQL(indicator.place or "null"),  # type: ignore[arg-type]
    }
