"""A small report that a test changes in one place: what its first sections read, as frames."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from pandas import DataFrame

from tests.figures import definitions
from yingjian.people.audience import OFFICE, Audience
from yingjian.people.officials import Officials
from yingjian.reports.content import report, text
from yingjian.reports.content.contents import SECTIONS
from yingjian.reports.content.document import Document, Figure
from yingjian.reports.content.figures import Figures, Value, Words
from yingjian.reports.content.publication import TREND_DAYS, Issue, Publication
from yingjian.reports.content.sections.section import Reading, Section

DAY = date(2022, 7, 24)
NOW, BEFORE, WEEK_BEFORE = 12, 11, 5
RESPONSIBLE = {"18": ["各部门", "核酸检测组"], "20": ["各社区"], "21": ["各部门", "各社区"], "28": ["转运组"]}
MADE = ("state", "overdue", "forecast-7", "zones", "quality")  # the sections that the document has
WORDS = {
    code: Words(
        row["title"], row["unit"], row["definition"], row["basis"], row["better"], row["is_share"] == "true",
        row["by_community"] == "true", row["by_department"] == "true",
    )
    for code, row in definitions().items()
}  # fmt: skip
Counts = Mapping[int, Mapping[str, Any]]
COUNTS: Counts = {
    NOW: {
        "required": 100, "compliance": (95, 100), "overdue": 5, "exempt": 2, "overdue_persons": 5, "overdue_items": 6,
        "next_day_persons": 38, "next_day_items": 40, "upcoming": 40, "needs_review": 0,
    }
}  # fmt: skip
NO_DUTY = {NOW: {"required": 0, "compliance": (0, 0), "overdue": 0, "exempt": 0}}

ROWS: Mapping[str, tuple[str, list[tuple[Any, ...]]]] = {
    "state": ("publication_id state since why days local_cases", [(NOW, "平", None, "无疫情", None, 0)]),
    "compliance": (
        "publication_id department community unit group_name required compliant overdue",
        [
            (NOW, "甲局", "甲社区", "甲站", "8 快递、外卖", 50, 47, 3),
            (NOW, "乙局", "乙社区", "乙站", "9 酒店", 50, 48, 2),
            (NOW, "丙局", "丙社区", "丙站", "10 装修", 50, 50, 0),
        ],
    ),
    "days": (
        "days_overdue group_name community items",
        [(1, "快递、外卖", "乙社区", 3), (9, "快递、外卖", "甲社区", 3)],
    ),
    "ranks": ("publication_id name is_community part whole", []),
    "movement": ("community department group_name cause items", []),
    "due": ("community due_date tests", [("甲社区", DAY + timedelta(days=1), 40)]),
    "zones": (
        "publication_id zone_id name communities level level_since last_positive_date residents round_sampled "
        "round_outstanding round_complete_on eligible_level eligible_on earliest_on overlapping mismatch explanation "
        "days_since_positive days_at_level is_lowered",
        [],
    ),
    "feeds": (
        "feed title files new_files rejected_files rows_read rows_staged rows_rejected rows_superseded rows_repaired "
        "status message",
        [],
    ),
    "feeds_before": ("feed status rows_rejected", []),
    "rejections": ("title reason rows", []),
    "senders": ("title sender rows", []),
    "restatements": ("restated_date reason rows", []),
    "checks": ("says severity failing_rows", []),
    "must_hold": ("checks", [(98,)]),
}


def frame(name: str, *rows: tuple[Any, ...]) -> DataFrame:
    """A query's rows, as they are read."""
    return DataFrame(list(rows), columns=ROWS[name][0].split(), dtype=object).infer_objects()


def publication(**changes: Any) -> Publication:
    row = Publication(
        publication_id=NOW,
        as_of_date=DAY,
        published_at=datetime(2022, 7, 25, 5, 42),
        policy_edition="beifeng-2",
        quality_status="passed",
        checks_run=118,
        checks_failed=0,
        input_files=10,
        input_rows=1000,
        code_version="0.1.0",
        release_reason=None,
        released_by=None,
        missing_feeds=[],
        is_correction=False,
    )
    return replace(row, **changes)


def issue(
    *, before: int | None = None, week_before: int | None = None, audience: Audience = OFFICE,
    hidden: frozenset[str] = frozenset(), **changes: Any,
) -> Issue:  # fmt: skip
    by_day = [*[None] * (TREND_DAYS - 8), week_before, *[None] * 5, before, NOW]
    kept = frozenset(number for number in by_day if number is not None)
    return Issue(publication(**changes), by_day, kept, audience, hidden)


def zone(publication_id: int = NOW, **changes: Any) -> tuple[Any, ...]:
    row = dict(zip(ROWS["zones"][0].split(), [
        publication_id, "FX1", "招丰花园", "招丰社区", "高", DAY, DAY, 10, None, None, None, None, None, None, "", None,
        "", 0, 0, False,
    ], strict=True))  # fmt: skip
    return tuple((row | changes).values())


def feed(**changes: Any) -> tuple[Any, ...]:
    row = dict(zip(ROWS["feeds"][0].split(), ["cases", "病例", 1, 1, 0, 10, 8, 1, 1, 2, "ok", ""], strict=True))
    return tuple((row | changes).values())


def section(anchor: str) -> Section:
    return next(section for section in SECTIONS if section.anchor == anchor)


def numbers(counts: Counts) -> Figures:
    """Return figures by publication and code: a count, or part and whole of a share."""
    values = {
        publication: {
            code: Value(value, None, value)
            if isinstance(value, int)
            else Value(value[0], value[1], text.share(*value) if value[0] is not None else None)
            for code, value in by_code.items()
        }
        for publication, by_code in counts.items()
    }
    return Figures(WORDS, values)


def figure(key: str, today: int | float | None, before: int | float | None = None, **changes: Any) -> Figure:
    """Return a daily figure with its last two days."""
    code = key.replace("-", "_")
    values = {
        publication: {code: Value(0, None, value)}
        for publication, value in ((NOW, today), (BEFORE, before))
        if value is not None or publication == NOW
    }
    (made,) = Figures(WORDS, values).daily(issue(before=None if before is None else BEFORE), [code])
    return replace(made, **changes)


def reading(anchor: str, of: Issue, *figures: Figure, counts: Counts = COUNTS, **frames: DataFrame) -> Reading:
    """Return what was read for a section; figures that are not given have but one day, shares 95 % and counts none."""
    chosen, given = section(anchor), {figure.key: figure for figure in figures}
    read = {name: frames.get(name, frame(name, *ROWS[name][1])) for name in chosen.queries if name in ROWS}
    read |= {name: frame for name, frame in frames.items() if name in chosen.queries}
    every = [
        given.get(code.replace("_", "-")) or figure(code, 0.95 if WORDS[code].is_share else 0)
        for code in chosen.figures
    ]
    return Reading(of, read, tuple(every), numbers(counts))


def document(
    *figures: Figure, of: Issue | None = None, responsible: Any = RESPONSIBLE, counts: Counts | None = None,
    officials: Officials | None = None, **frames: DataFrame,
) -> Document:  # fmt: skip
    """Return the report of the given counts and frames, and of the small ones above."""
    counts = {number: COUNTS.get(number, {}) | (counts or {}).get(number, {}) for number in {*COUNTS, *(counts or {})}}
    of = of or issue()
    if "feeds" not in frames:
        frames["feeds"] = frame("feeds", feed())
    chosen = {
        *MADE,
        *(
            one.anchor
            for one in SECTIONS
            if any(code.replace("_", "-") == f.key for code in one.figures for f in figures)
        ),
    }
    sections = [one for one in SECTIONS if one.anchor in chosen and one.is_for(of)]
    readings = [
        (one, reading(one.anchor, of, *figures, counts=counts, **frames))
        for one in sections
        if set(one.queries) <= set(ROWS) | set(frames)
    ]
    return report.document(of, readings, responsible, officials or Officials())
