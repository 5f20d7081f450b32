"""This module computes memberships and obligations, family by family, as policy.md words them, in plain loops without tuning."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from tests.oracle.outbreaks import outbreaks_at
from tests.oracle.policy import (
    DUE_HORIZON_DAYS,
    FIRST_TEST,
    LOOKBACK_DAYS,
    OUTBREAK,
    PURCHASE_TEST_DAYS,
    RESAMPLE,
    ROLLING,
    ROLLING_NO_MORE,
    SPACING,
    WINDOW_NO_MORE,
    day_numbers,
    edition_on,
)
from tests.oracle.reader import fold
from tests.oracle.records import FOREVER, Book, Record, end_of


@dataclass
class Membership:
    """key: the record key, or `feed:key`. end: the last day, FOREVER while open. merged: the keys of all merged records."""

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
    merged: list[str] = field(default_factory=list)
    row: Record = field(default_factory=dict)
    exposed_on: date | None = None


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
    all_memberships = [_of_roster(row) for row in book["key_population"]]
    rosters: dict[tuple[str, str, date | None], Membership] = {}
    for m in sorted(all_memberships, key=lambda m: m.key):
        if m.anchor:
            rosters.setdefault((m.person, m.group, m.anchor), m)
    derived = [*_of_arrivals(book), *_of_contacts(book), *_of_referrals(book), *_of_cases(book)]
    first: dict[tuple[str, str, date | None], Membership] = {}
    for m in sorted(derived, key=lambda m: m.key):
        name = (m.person, m.group, m.anchor)
        # "a roster row with the same person, group and anchor is the same membership and wins"; else "the smaller record key"
        winner = rosters.get(name) or first.setdefault(name, m)
        winner.merged.append(m.key)
        if m.start <= book.day:  # Any of the merged records may name the day of the exposure.
            winner.exposed_on = winner.exposed_on or m.exposed_on
    all_memberships += first.values()
    for m in all_memberships:
        m.merged = [m.key, *(key for key in m.merged if key != m.key)]
        # "the earliest 解除日期 of a releases row that names this record with 全部管控"; "names any of the merged records"
        m.end = min([m.end, *(row["解除日期"] for row in releases_of(book, m) if row["解除类型"] == "全部管控")])
    # "A membership that starts after D has no rows as of D."
    return [m for m in all_memberships if m.start <= book.day]


def releases_of(book: Book, m: Membership) -> list[Record]:
    """ "The release record of any merged membership counts"."""
    return [row for row in book["releases"] if row["记录编号"] in m.merged]


def _of_roster(row: Record) -> Membership:
    return Membership(
        row["记录编号"], row["证件号码"], row["人群编号"], row["起始日期"], row["锚定日期"], row["移出日期"] or FOREVER,
        row["工作单位"], row["主管部门"], row["社区"], row["网格"], row["自定频次"],
        row=row, exposed_on=row["锚定日期"] if row["人群编号"] in ("35", "36") else None,
    )  # fmt: skip


def _of_arrivals(book: Book) -> list[Membership]:
    """Article 30 says: "arrivals with 来源地 境外: row 31"; "from inside the country, when 抵达日期 − 离开日期 ≤ 7"."""
    by_arrival = []
    for row in book["arrivals"]:
        group, anchor, review = "", None, False
        if row["来源地"] == "境外":
            group, anchor = "31", row["入境日期"]
        elif (row["抵达日期"] - row["离开日期"]).days <= LOOKBACK_DAYS:
            county = (fold(row["来源省"]), fold(row["来源市"]), fold(row["来源县"]))
            listed = book.listed_at(row["离开日期"], county)
            area = fold(row["来源区域"])
            if area in listed:
                group, anchor = {"高": "32", "中": "33"}[listed[area]], row["离开日期"]
            elif listed:
                group, anchor, review = "34", row["抵达日期"], True
        if group:
            by_arrival.append(Membership(
                "arrivals:" + row["申报编号"], row["证件号码"], group, row["抵达日期"], anchor, FOREVER,
                community=row["目的社区"], grid=row["网格"], needs_review=review, row=row,
            ))  # fmt: skip
    return by_arrival


def _of_contacts(book: Book) -> list[Membership]:
    """policy.md says: "contacts: 密接 → row 35, 次密接 → row 36, anchor 末次接触日期"."""
    return [
        Membership("contacts:" + row["编号"], row["证件号码"], "35" if row["类别"] == "密接" else "36",
                   row["判定时间"].date(), row["末次接触日期"], FOREVER, community=row["社区"], grid=row["网格"],
                   row=row, exposed_on=row["末次接触日期"])
        for row in book["contacts"]
    ]  # fmt: skip


def _of_referrals(book: Book) -> list[Membership]:
    """A07 (articles 7, 18, 30): "anchor 末次暴露日期, else the date of 下发时间"; "end: the date of 核查时间 when 核查结果 is
    已离开 or 信息有误".
    """
    by_referral = []
    for row in book["referrals"]:
        handed_down_on, gone = row["下发时间"].date(), row["核查结果"] in ("已离开", "信息有误")
        by_referral.append(Membership(
            "referrals:" + row["编号"], row["证件号码"], "A07", handed_down_on, row["末次暴露日期"] or handed_down_on,
            row["核查时间"].date() if gone else FOREVER, community=row["社区"], grid=row["网格"],
            frequency=row["检测要求"], row=row, exposed_on=row["末次暴露日期"],
        ))  # fmt: skip
    return by_referral


def _of_cases(book: Book) -> list[Membership]:
    """policy.md says: "cases with 出院日期 → row 37, anchor 出院日期" (article 18)."""
    return [
        Membership("cases:" + row["病例编号"], row["证件号码"], "37", row["出院日期"], row["出院日期"], FOREVER,
                   community=row["社区"], grid=row["网格"], row=row)
        for row in book["cases"] if row["出院日期"]
    ]  # fmt: skip


# These functions compute what lifts an obligation.


def infected(book: Book, person: str) -> list[tuple[date, date]]:
    """ "from the day after its sample date to the day of discharge (open while there is none)"."""
    return [
        (row["采样日期"] + timedelta(1), row["出院日期"] or FOREVER)
        for row in book["cases"]
        if row["证件号码"] == person
    ]


def lifting(book: Book, person: str, group: str) -> list[tuple[date, date, str]]:
    """Return the intervals in which obligations are lifted: first day, last day and state."""
    spans = [(first, last, "void") for first, last in infected(book, person)]
    for row in book["exemptions"]:
        if row["证件号码"] == person and row["人群编号"] in ("", group):
            spans.append((row["起始日期"], row["截止日期"], "exempt"))
    return spans


def lifted_on(intervals: list[tuple[date, date, str]], day: date) -> str | None:
    states = {state for first, last, state in intervals if first <= day <= last}
    return "void" if "void" in states else "exempt" if states else None


# These functions compute the rule families.


def obligations(book: Book) -> list[Obligation]:
    all_obligations: list[Obligation] = []
    for m in memberships(book):
        if m.group in ROLLING:
            none = m.group in ROLLING_NO_MORE.get(edition_on(book.day), set())
            all_obligations += [] if none else rolling(book, m, *ROLLING[m.group])
        elif m.group == "38":
            all_obligations += rolling(book, m, *frequency(m.frequency)) if m.frequency else []
        elif m.group == "A07":
            all_obligations += referred(book, m)
        elif m.group == "34":
            none = m.anchor and "34" in WINDOW_NO_MORE.get(edition_on(m.anchor), set())
            all_obligations += [] if none or not m.anchor else window(book, m, m.anchor)
        elif m.group in OUTBREAK:
            all_obligations += full_round(book, m)
        elif m.anchor:
            all_obligations += anchored(book, m, day_numbers(m.group, m.anchor))
    return all_obligations + purchases(book) + resamples(book)


def frequency(text: str) -> tuple[int, int]:
    """ "自定频次 (n天k检, 1周k检, 每日)": k, n."""
    if text == "每日":
        return 1, 1
    match = re.fullmatch(r"(\d+)(天|周)(\d+)检", text)
    assert match, text
    return int(match[3]), int(match[1]) * (7 if match[2] == "周" else 1)


def rolling(book: Book, m: Membership, k: int, n: int) -> list[Obligation]:
    """Compute family 1: k tests in n days."""
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


def referred(book: Book, m: Membership) -> list[Obligation]:
    """A07: "Its tests are what the row's 检测要求 says" (articles 7, 18, 30)."""
    if not m.frequency:  # "empty (no obligation, listed as unscheduled)"
        return []
    if match := re.fullmatch(r"第([\d、]+)天", m.frequency):
        return anchored(book, m, tuple(sorted(int(number) for number in match[1].split("、"))))
    if m.frequency == "3天2检":  # "the window of row 34"; "begins with 起始日期"
        return window(book, m, m.start)
    return rolling(book, m, *frequency(m.frequency))


def anchored(book: Book, m: Membership, numbers: tuple[int, ...]) -> list[Obligation]:
    """Compute families 2 and 4: tests on day numbers from the anchor."""
    assert m.anchor
    if not numbers:
        return []
    shift = 0 if m.group == "37" else 1
    dated = [(n, m.anchor + timedelta(n - shift)) for n in numbers]
    dated += first_test(m, dated)
    # "A slot that falls before 起始日期 or after 移出日期 does not exist."
    slots = sorted(((n, due) for n, due in dated if m.start <= due <= m.end), key=lambda slot: slot[1])
    intervals = lifting(book, m.person, m.group)
    days = book.sample_days(m.person)
    today = book.day
    due_slots = []
    for i, (n, due) in enumerate(slots):
        until = slots[i + 1][1] if i + 1 < len(slots) else _after(m.end)
        first = next((day for day in days if due <= day < until), None)
        if state := lifted_on(intervals, due):
            due_slots.append(Obligation(m, n, due, state))
        elif first is not None:
            due_slots.append(Obligation(m, n, due, "satisfied" if first == due else "satisfied_late", 0, first))
        elif due > today:
            due_slots.append(Obligation(m, n, due, "upcoming"))
        elif today < until:
            due_slots.append(Obligation(m, n, due, "overdue", (today - due).days + 1))
        else:
            due_slots.append(Obligation(m, n, due, "missed"))
    return due_slots


def first_test(m: Membership, dated: list[tuple[int, date]]) -> list[tuple[int, date]]:
    """Slot 0 (article 30, row 34): "when 起始日期 is after the anchor, not after the date of the rule's last day number,
    and no slot falls on it"; "A07 ... also after the last day number".
    """
    assert m.anchor
    if m.start <= m.anchor or m.start in {due for _, due in dated}:
        return []
    in_time = m.group in FIRST_TEST and m.start <= max(due for _, due in dated)
    return [(0, m.start)] if in_time or m.group == "A07" else []


def _after(day: date) -> date:
    return day if day == FOREVER else day + timedelta(1)


def window(book: Book, m: Membership, begins: date) -> list[Obligation]:
    """Family 3: "k = 2 tests in n = 3 days from arrival (anchor, day 1), the first on arrival"."""
    # "Samples from the anchor to the end of the membership count, also before 起始日期"
    moments = [s.at for s in book.samples[m.person] if begins <= s.day <= m.end]
    first = moments[0] if moments else None
    second = next((at for at in moments if first and at >= first + SPACING), None)
    slots = []
    for slot, due, taken in ((1, begins, first), (2, begins + timedelta(2), second)):
        if m.start <= due <= m.end:
            slots.append(_open_until_discharged(book, m, slot, due, taken and taken.date(), ended=m.end < book.day))
    return slots


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
    """Family 5: "one slot, its number that of the outbreak at the place, due on the start day + 1; a sample from the start
    day on satisfies it". It stays open until the outbreak or the membership ends.

    evidence `fixed` says whether policy.md decides the row: the member was there on the first day and on the due day.
    """
    slots = []
    for outbreak in outbreaks_at(book, m.community, m.grid):
        due = outbreak.round_ends
        last = min(m.end, outbreak.last)
        if not (m.start <= due and m.end >= outbreak.first):
            continue
        taken = next((day for day in book.sample_days(m.person) if outbreak.first <= day <= last), None)
        row = _open_until_discharged(book, m, outbreak.number, due, taken, ended=last < book.day)
        row.evidence["fixed"] = m.start <= outbreak.first and m.end >= due and outbreak.last >= due
        slots.append(row)
    return slots


def place_of(book: Book, person: str, community: str = "") -> tuple[str, str]:
    """ "Their place (社区, 网格) is the person's by residents; without a row P19 has the 社区 of the purchase"."""
    return book.homes.get(person, (community, ""))


def purchases(book: Book) -> list[Obligation]:
    """Compute P19 (article 19): "due on the purchase date + purchase_test_days - 1"; "a counting sample from the moment of purchase"."""
    rows = []
    for row in book["pharmacy_purchases"]:
        bought: datetime = row["购药时间"]
        if bought >= end_of(book.day):
            continue
        community, grid = place_of(book, row["证件号码"], row["社区"])
        m = Membership("pharmacy_purchases:" + row["登记编号"], row["证件号码"], "P19", bought.date(), bought.date(),
                       FOREVER, community=community, grid=grid)  # fmt: skip
        taken = next((s.day for s in book.samples[m.person] if s.at >= bought), None)
        due = bought.date() + timedelta(PURCHASE_TEST_DAYS - 1)
        rows.append(_open_until_discharged(book, m, 1, due, taken))
    return rows


@dataclass(frozen=True)
class TubeMember:
    """A member of a positive tube: when the tube's result became known, and the first single sample after it."""

    tube: str
    person: str
    known_at: datetime
    needs_review: bool
    resampled_at: datetime | None
    result: str | None


def tube_members(book: Book) -> list[TubeMember]:
    """P24 (article 24): "Its members are all mixed samples under its number"; "a single sample taken after the tube's result"."""
    tubes: dict[str, list[Record]] = {}
    for row in book["test_results"]:
        if row["采样方式"] == "混采" and row["试管编号"] and row["采样时间"] < end_of(book.day):
            tubes.setdefault(row["试管编号"], []).append(row)
    members = []
    for tube, rows in tubes.items():
        positive = [row for row in rows if row["检测结果"] == "阳性"]
        tested = [row["检测时间"] for row in positive if row["检测时间"] and row["检测时间"] >= row["采样时间"]]
        updated = [row["更新时间"] for row in positive if row["更新时间"] >= row["采样时间"]]
        if not tested and not updated:
            continue
        result_at = min(tested or updated)
        if result_at >= end_of(book.day):  # "a tube whose result time is after D is not yet positive"
            continue
        for person in sorted({row["证件号码"] for row in rows}):
            single = next((s for s in book.samples[person] if s.single and s.at > result_at), None)
            members.append(
                TubeMember(tube, person, result_at, not tested, single and single.at, single and single.result)
            )
    return members


def resamples(book: Book) -> list[Obligation]:
    """P24: "due at the tube's result time + resample_hours"; "due_date is that moment's date"."""
    rows = []
    for member in tube_members(book):
        limit = member.known_at + RESAMPLE
        community, grid = place_of(book, member.person)
        m = Membership("P24:" + member.tube, member.person, "P24", member.known_at.date(), None, FOREVER,
                       community=community, grid=grid, needs_review=member.needs_review)  # fmt: skip
        row = _open_until_discharged(book, m, 1, limit.date(), member.resampled_at and member.resampled_at.date())
        if row.status.startswith("satisfied"):  # "satisfied up to that moment"
            assert member.resampled_at
            row.status = "satisfied" if member.resampled_at <= limit else "satisfied_late"
        row.evidence["tube"] = member.tube
        row.evidence["member"] = member
        rows.append(row)
    return rows


# The functions below derive marts from obligations.


def due_rows(book: Book, rows: list[Obligation]) -> list[tuple[Obligation, int]]:
    """`due`: "open obligations whose due date is after D, up to 7 days ahead", with days_until_due ("D + 1 is 1")."""
    ahead = [(row, (row.due - book.day).days) for row in rows if row.is_open]
    return [(row, days) for row, days in ahead if 1 <= days <= DUE_HORIZON_DAYS]


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
    counts: dict[tuple[str, str, str], tuple[int, int, int, int]] = {}
    for of_one in standing.values():
        m = of_one[0].membership
        key = (m.group, m.community, m.unit)
        required, compliant, overdue, exempt = counts.get(key, (0, 0, 0, 0))
        if any(row.is_open or row.satisfied_on == day for row in of_one):
            late = any(row.status == "overdue" for row in of_one)
            counts[key] = (required + 1, compliant + (not late), overdue + late, exempt)
        elif any(row.status in ("exempt", "void") and (row.slot is None or row.due >= day) for row in of_one):
            counts[key] = (required, compliant, overdue, exempt + 1)
    return counts


def forecast(book: Book, rows: list[Obligation]) -> dict[tuple[date, str], int]:
    """`due_forecast`: "D + 1 … D + 7, tests_due, with no further samples assumed"."""
    counts: dict[tuple[date, str], int] = {}
    for row, _ in due_rows(book, rows):
        key = (row.due, row.membership.community)
        counts[key] = counts.get(key, 0) + 1
    return counts
