"""Memberships and obligations, family by family, as policy.md words them. Straight loops; speed is no aim."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from tests.oracle.records import FOREVER, Book, Record, end_of

# The annex and articles 6 and 28: k tests in n days; day numbers; what is added to anchor + n - 1.
ROLLING = (
    {str(g): (1, 1) for g in range(1, 8)}
    | {str(g): (2, 7) for g in range(8, 15)}
    | {str(g): (1, 5) for g in range(15, 23)}
    | {"A28": (1, 1)}
)
ANCHORED = {
    "29": (1,), "30": (1,),
    "31": (1, 2, 3, 5, 7, 10), "32": (1, 2, 3, 5, 7), "33": (1, 4, 7),
    "35": (1, 2, 3, 5, 7, 10), "36": (1, 4, 7), "37": (3, 7), "A06": (1, 4, 7),
}  # fmt: skip
OUTBREAK = {str(g) for g in range(23, 29)}
FULL_ROUND_DAYS = 2
PURCHASE_TEST_DAYS = 2
RESAMPLE = timedelta(hours=24)
SPACING = timedelta(hours=24)
LOOKBACK_DAYS = 7


@dataclass
class Membership:
    """The key is the record key, or feed, colon, key. end: last day, FOREVER while open."""

    key: str
    person: str
    group: str
    start: date
    anchor: date | None
    end: date
    unit: str = ""
    department: str = ""
    community: str = ""
    grid: str = ""
    frequency: str = ""
    needs_review: bool = False


@dataclass
class Obligation:
    membership: Membership
    slot: int | None
    due: date
    status: str
    days_overdue: int = 0
    satisfied_on: date | None = None
    evidence: dict[str, object] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        return self.status in ("upcoming", "overdue")


# Membership, and memberships that other feeds create


def memberships(book: Book) -> list[Membership]:
    found = [_of_roster(row) for row in book["key_population"]]
    rosters = {(m.person, m.group, m.anchor): m for m in found if m.anchor}
    derived = sorted([*_of_arrivals(book), *_of_contacts(book)], key=lambda m: m.key)
    first: dict[tuple[str, str, date | None], Membership] = {}
    merged: dict[str, list[str]] = {m.key: [m.key] for m in found}
    for m in derived:
        name = (m.person, m.group, m.anchor)
        # "a roster row with the same person, group and anchor is the same membership and wins"; else "the smaller record key"
        winner = rosters.get(name) or first.setdefault(name, m)
        merged.setdefault(winner.key, [winner.key]).append(m.key)
    found += first.values()
    for m in found:
        # "the earliest 解除日期 of a releases row that names this record with 全部管控"; "names any of the merged records"
        ends = [row["解除日期"] for row in book["releases"]
                if row["记录编号"] in merged[m.key] and row["解除类型"] == "全部管控"]  # fmt: skip
        m.end = min([m.end, *ends])
    # "A membership that starts after D has no rows as of D."
    return [m for m in found if m.start <= book.day]


def _of_roster(row: Record) -> Membership:
    return Membership(
        row["记录编号"], row["证件号码"], row["人群编号"], row["起始日期"], row["锚定日期"], row["移出日期"] or FOREVER,
        row["工作单位"], row["主管部门"], row["社区"], row["网格"], row["自定频次"],
    )  # fmt: skip


def _of_arrivals(book: Book) -> list[Membership]:
    found = []
    for row in book["arrivals"]:
        group, anchor, review = "", None, False
        if row["来源地"] == "境外":
            group, anchor = "31", row["入境日期"]
        elif (row["抵达日期"] - row["离开日期"]).days <= LOOKBACK_DAYS:
            same_county = row["来源县"] == f"{book.town.prefix}县"
            listed = book.listed_at(row["离开日期"]) if same_county else {}
            area = _folded(row["来源区域"])
            if area in listed:
                group, anchor = {"高": "32", "中": "33"}[listed[area]], row["离开日期"]
            elif listed:
                group, anchor, review = "34", row["抵达日期"], True
        if group:
            found.append(Membership(
                "arrivals:" + row["申报编号"], row["证件号码"], group, row["抵达日期"], anchor, FOREVER,
                community=row["目的社区"], grid=row["网格"], needs_review=review,
            ))  # fmt: skip
    return found


def _folded(text: str) -> str:
    """ "blanks removed, full-width folded to half-width"."""
    return re.sub(r"\s", "", text).translate({code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)})


def _of_contacts(book: Book) -> list[Membership]:
    return [
        Membership("contacts:" + row["编号"], row["证件号码"], "35" if row["类别"] == "密接" else "36",
                   row["判定时间"].date(), row["末次接触日期"], FOREVER, community=row["社区"], grid=row["网格"])
        for row in book["contacts"]
    ]  # fmt: skip


# These functions compute what lifts an obligation.


def lifting(book: Book, person: str, group: str) -> list[tuple[date, date, str]]:
    """First and last day, state; void goes before exempt."""
    found = []
    for row in book["cases"]:
        # "from the day after its sample date to the day of discharge (open while there is none)"
        if row["证件号码"] == person:
            found.append((row["采样日期"] + timedelta(1), row["出院日期"] or FOREVER, "void"))
    for row in book["exemptions"]:
        if row["证件号码"] == person and row["人群编号"] in ("", group):
            found.append((row["起始日期"], row["截止日期"], "exempt"))
    return found


def lifted_on(intervals: list[tuple[date, date, str]], day: date) -> str | None:
    states = {state for first, last, state in intervals if first <= day <= last}
    return "void" if "void" in states else "exempt" if states else None


# These functions compute the rule families.


def obligations(book: Book) -> list[Obligation]:
    found: list[Obligation] = []
    for m in memberships(book):
        if m.group in ROLLING:
            found += rolling(book, m, *ROLLING[m.group])
        elif m.group == "38":
            found += rolling(book, m, *frequency(m.frequency)) if m.frequency else []
        elif m.group in ANCHORED:
            found += anchored(book, m)
        elif m.group == "34":
            found += window(book, m)
        elif m.group in OUTBREAK:
            found += full_round(book, m)
    return found + purchases(book) + resamples(book)


def frequency(text: str) -> tuple[int, int]:
    """ "自定频次 (n天k检, 1周k检, 每日)": k, n."""
    if text == "每日":
        return 1, 1
    match = re.fullmatch(r"(\d+)(天|周)(\d+)检", text)
    assert match, text
    return int(match[3]), int(match[1]) * (7 if match[2] == "周" else 1)


def rolling(book: Book, m: Membership, k: int, n: int) -> list[Obligation]:
    """The function computes family 1."""
    today = book.day
    if m.end < today:  # "A membership that ended before D has no rolling row any more."
        return []
    intervals = lifting(book, m.person, m.group)
    # "start is the larger of 起始日期 and the day after the latest interval that has ended before D"
    start = max([m.start, *(last + timedelta(1) for _, last, _ in intervals if last < today)])
    days = book.sample_days(m.person)
    due = start + timedelta(n - 1)
    if len(days) >= k:
        due = max(days[-k] + timedelta(n), due)
    if state := lifted_on(intervals, today):
        return [Obligation(m, None, due, state)]
    if due <= today:
        return [Obligation(m, None, due, "overdue", (today - due).days + 1)]
    # "if the membership ends before that day there is no row"
    return [] if m.end < due else [Obligation(m, None, due, "upcoming")]


def anchored(book: Book, m: Membership) -> list[Obligation]:
    """The function computes families 2 and 4."""
    assert m.anchor
    shift = 0 if m.group == "37" else 1
    slots = [(n, m.anchor + timedelta(n - shift)) for n in ANCHORED[m.group]]
    # "A slot that falls before 起始日期 or after 移出日期 does not exist."
    slots = [(n, due) for n, due in slots if m.start <= due <= m.end]
    intervals = lifting(book, m.person, m.group)
    days = book.sample_days(m.person)
    today = book.day
    found = []
    for i, (n, due) in enumerate(slots):
        until = slots[i + 1][1] if i + 1 < len(slots) else _after(m.end)
        first = next((day for day in days if due <= day < until), None)
        if state := lifted_on(intervals, due):
            found.append(Obligation(m, n, due, state))
        elif first is not None:
            found.append(Obligation(m, n, due, "satisfied" if first == due else "satisfied_late", 0, first))
        elif due > today:
            found.append(Obligation(m, n, due, "upcoming"))
        elif today < until:
            found.append(Obligation(m, n, due, "overdue", (today - due).days + 1))
        else:
            found.append(Obligation(m, n, due, "missed"))
    return found


def _after(day: date) -> date:
    return day if day == FOREVER else day + timedelta(1)


def window(book: Book, m: Membership) -> list[Obligation]:
    """Family 3: "k = 2 tests in n = 3 days from arrival (anchor, day 1), the first on arrival"."""
    assert m.anchor
    # "Samples from the anchor to the end of the membership count, also before 起始日期"
    moments = [s.at for s in book.samples[m.person] if m.anchor <= s.day <= m.end]
    first = moments[0] if moments else None
    second = next((at for at in moments if first and at >= first + SPACING), None)
    found = []
    for slot, due, taken in ((1, m.anchor, first), (2, m.anchor + timedelta(2), second)):
        if m.start <= due <= m.end:
            found.append(_open_until_discharged(book, m, slot, due, taken and taken.date(), ended=m.end < book.day))
    return found


def _open_until_discharged(
    book: Book, m: Membership, slot: int | None, due: date, taken: date | None, *, ended: bool = False
) -> Obligation:
    if state := lifted_on(lifting(book, m.person, m.group), due):
        return Obligation(m, slot, due, state)
    if taken:
        return Obligation(m, slot, due, "satisfied" if taken <= due else "satisfied_late", 0, taken)
    if due > book.day:
        return Obligation(m, slot, due, "upcoming")
    if ended:
        return Obligation(m, slot, due, "missed")
    return Obligation(m, slot, due, "overdue", (book.day - due).days + 1)


def full_round(book: Book, m: Membership) -> list[Obligation]:
    """Family 5: "one slot, due on the start day + 1; a sample from the start day on satisfies it".

    evidence `fixed` says whether policy.md decides the row: the member was there on the first day and still is, and the
    outbreak lasts.
    """
    found = []
    for start, end in book.outbreaks(m.community):
        first = start.date()
        due = first + timedelta(FULL_ROUND_DAYS - 1)
        taken = next((day for day in book.sample_days(m.person) if first <= day <= m.end), None)
        row = _open_until_discharged(book, m, 1, due, taken)
        row.evidence["fixed"] = m.start <= first and m.end >= max(book.day, due) and (not end or end.date() > book.day)
        found.append(row)
    return found


def purchases(book: Book) -> list[Obligation]:
    """The function computes P19: "due on the purchase date + purchase_test_days - 1"; "a counting sample from the moment of purchase"."""
    found = []
    for row in book["pharmacy_purchases"]:
        bought: datetime = row["购药时间"]
        if bought >= end_of(book.day):
            continue
        m = Membership("pharmacy_purchases:" + row["登记编号"], row["证件号码"], "P19", bought.date(), bought.date(),
                       FOREVER, community=row["社区"])  # fmt: skip
        taken = next((s.day for s in book.samples[m.person] if s.at >= bought), None)
        due = bought.date() + timedelta(PURCHASE_TEST_DAYS - 1)
        found.append(_open_until_discharged(book, m, 1, due, taken))
    return found


@dataclass(frozen=True)
class TubeMember:
    """The row is a member of a positive tube, with the tube's result time and the single sample after it."""

    tube: str
    person: str
    known_at: datetime
    resampled_at: datetime | None
    result: str | None


def tube_members(book: Book) -> list[TubeMember]:
    """The function computes P24: "a member of a positive tube"; "a single sample taken after the tube's result"."""
    tubes: dict[str, list[Record]] = {}
    for row in book["test_results"]:
        if row["采样方式"] == "混采" and row["试管编号"]:
            tubes.setdefault(row["试管编号"], []).append(row)
    found = []
    for tube, rows in tubes.items():
        positive = [row["检测时间"] for row in rows if row["检测结果"] == "阳性" and row["检测时间"] < end_of(book.day)]
        if not positive:
            continue
        known = min(positive)
        for row in rows:
            person = row["证件号码"]
            single = next((s for s in book.samples[person] if s.single and s.at > known), None)
            found.append(TubeMember(tube, person, known, single and single.at, single and single.result))
    return found


def resamples(book: Book) -> list[Obligation]:
    """P24: "due at the tube's result time + resample_hours"; "due_date is that moment's date"."""
    found = []
    for member in tube_members(book):
        limit = member.known_at + RESAMPLE
        m = Membership("P24:" + member.tube, member.person, "P24", member.known_at.date(), None, FOREVER)
        row = _open_until_discharged(book, m, 1, limit.date(), member.resampled_at and member.resampled_at.date())
        if row.status.startswith("satisfied"):  # "satisfied up to that moment"
            assert member.resampled_at
            row.status = "satisfied" if member.resampled_at <= limit else "satisfied_late"
        row.evidence["tube"] = member.tube
        found.append(row)
    return found


# These functions read from obligations.


def due_rows(book: Book, rows: list[Obligation]) -> list[tuple[Obligation, int]]:
    """`due`: "open obligations whose due date is after D, up to 7 days ahead", with days_until_due ("D + 1 is 1")."""
    ahead = [(row, (row.due - book.day).days) for row in rows if row.is_open]
    return [(row, days) for row, days in ahead if 1 <= days <= 7]


def overdue_rows(rows: list[Obligation], day: date) -> list[Obligation]:
    """`overdue`: "open obligations whose due date is on or before D"."""
    return [row for row in rows if row.is_open and row.due <= day]


def compliance(rows: list[Obligation], day: date) -> dict[tuple[str, str, str], tuple[int, int, int, int]]:
    """`required` etc.: "one membership with an obligation standing on D is one; compliant = not overdue".

    It stands when it is open at the end of D or was discharged on D (docs/decisions/compliance-counts-memberships.md).
    """
    standing: dict[tuple[str, str], list[Obligation]] = {}
    for row in rows:
        m = row.membership
        standing.setdefault((m.key, m.person), []).append(row)
    found: dict[tuple[str, str, str], tuple[int, int, int, int]] = {}
    for of_one in standing.values():
        m = of_one[0].membership
        key = (m.group, m.community, m.unit)
        required, compliant, overdue, exempt = found.get(key, (0, 0, 0, 0))
        if any(row.is_open or row.satisfied_on == day for row in of_one):
            late = any(row.status == "overdue" for row in of_one)
            found[key] = (required + 1, compliant + (not late), overdue + late, exempt)
        elif any(row.status in ("exempt", "void") and (row.slot is None or row.due >= day) for row in of_one):
            found[key] = (required, compliant, overdue, exempt + 1)
    return found


def forecast(book: Book, rows: list[Obligation]) -> dict[tuple[date, str], int]:
    """`due_forecast`: "D + 1 … D + 7, tests_due, with no further samples assumed"."""
    found: dict[tuple[date, str], int] = {}
    for row, _ in due_rows(book, rows):
        key = (row.due, row.membership.community)
        found[key] = found.get(key, 0) + 1
    return found
