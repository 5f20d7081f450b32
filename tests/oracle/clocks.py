"""This module computes the clocks of policy.md: contacts, pushed lists, purchases of monitored drugs, positive persons."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from tests.oracle.obligations import Obligation, purchases
from tests.oracle.policy import CASE_BEFORE_SAMPLE_DAYS, CONTACT_LIMIT, FIRST, TEN, TRANSFER_LIMIT, edition_on
from tests.oracle.records import FOREVER, Book, Record, end_of, start_of

# Each feed has columns for the community, the time of the push and the time that clears it.
PUSHED = {
    "arrivals": ("目的社区", "推送时间", "排查时间"),
    "pharmacy_purchases": ("社区", "推送时间", "排查时间"),
    "contacts": ("社区", "判定时间", "隔离时间"),
    "referrals": ("社区", "下发时间", "核查时间"),
}


@dataclass
class ContactClock:
    contact_key: str
    person: str
    category: str
    judged_at: datetime
    isolated_at: datetime | None
    within_8h: bool | None

    @property
    def hours(self) -> float | None:
        return None if self.isolated_at is None else max(0.0, hours_between(self.judged_at, self.isolated_at))


def hours_between(first: datetime, last: datetime) -> float:
    return round((last - first).total_seconds() / 3600, 2)


def is_followed(row: Record) -> bool:
    """ "a contact of a category that is not followed": from the second edition on there are no secondary contacts."""
    return row["类别"] == "密接" or edition_on(row["末次接触日期"]) == FIRST


def isolated_at(book: Book, row: Record) -> datetime | None:
    """ "a close contact is in central isolation, a secondary contact isolated (at home or centrally)"; "which place stops a
    contact's clock ... by the edition of 末次接触日期".
    """
    places = {"集中", "居家"} if row["类别"] == "次密接" or edition_on(row["末次接触日期"]) == TEN else {"集中"}
    return book.known(row["隔离时间"]) if row["隔离方式"] in places else None


def contact_clock(book: Book) -> list[ContactClock]:
    """Articles 25 and 26: "within 8 hours of 判定时间: 隔离时间 with the right 隔离方式; 转运时间 alone does not stop the clock".

    within_8h is None while the eight hours still run at the end of D.
    """
    clocks = []
    for row in book["contacts"]:
        judged = row["判定时间"]
        if judged >= end_of(book.day) or not is_followed(row):
            continue
        isolated = isolated_at(book, row)
        if isolated:
            within: bool | None = isolated - judged <= CONTACT_LIMIT
        else:
            within = False if judged + CONTACT_LIMIT < end_of(book.day) else None
        clocks.append(ContactClock(row["编号"], row["证件号码"], row["类别"], judged, isolated, within))
    return clocks


def push_clearance(book: Book) -> dict[tuple[str, date, str], tuple[int, int, int]]:
    """Article 7: "investigated by 24:00 of the push date": pushed, cleared_same_day, open."""
    pushed: Counter[tuple[str, date, str]] = Counter()
    cleared: Counter[tuple[str, date, str]] = Counter()
    still: Counter[tuple[str, date, str]] = Counter()
    for feed, (place, begins, ends) in PUSHED.items():
        for row in book[feed]:
            if not book.known(row[begins]) or (feed == "contacts" and not is_followed(row)):
                continue
            key = (feed, row[begins].date(), row[place])
            done = isolated_at(book, row) if feed == "contacts" else book.known(row[ends])
            pushed[key] += 1
            cleared[key] += done is not None and done < end_of(key[1])
            still[key] += done is None
    return {key: (pushed[key], cleared[key], still[key]) for key in pushed}


@dataclass
class Purchase:
    row: Record
    pushed_at: datetime | None
    investigated_at: datetime | None
    cleared_same_day: bool | None
    tested_on: date | None
    obligation: Obligation


def pharmacy_followup(book: Book) -> list[Purchase]:
    """Article 19: "investigated the same day; one test by the end of the day after the purchase"."""
    rows = {row["登记编号"]: row for row in book["pharmacy_purchases"]}
    followups = []
    for owed in purchases(book):
        row = rows[owed.membership.key.split(":", 1)[1]]
        pushed, done = book.known(row["推送时间"]), book.known(row["排查时间"])
        same_day = None if pushed is None else done is not None and done < end_of(pushed.date())
        # `tested_on`: "null when the test is lifted".
        followups.append(Purchase(row, pushed, done, same_day, owed.satisfied_on, owed))
    return followups


@dataclass(frozen=True)
class Positive:
    """A positive single sample, with the times it was taken and its result became known."""

    at: datetime
    result_at: datetime

    @property
    def day(self) -> date:
        return self.at.date()


@dataclass
class Episode:
    person: str
    sample: Positive | None
    case: Record | None
    again: bool

    def ends_on(self, day: date) -> date:
        """ "the person's later positives belong to it up to and on 出院日期, however late"."""
        gone = self.case and self.case["出院日期"]
        return gone if gone and gone <= day else FOREVER


@dataclass
class Followed:
    """One episode as of D, with every step that is known."""

    person: str
    case_key: str
    sampled_at: datetime
    result_at: datetime | None
    reported_at: datetime | None
    transferred_at: datetime | None
    admitted_at: datetime | None
    stage: str
    again: bool
    hours: float
    due_at: datetime
    status: str


def positive_followup(book: Book) -> list[Followed]:
    """Articles 24 and 26: sampled, result, reported, transferred, admitted."""
    return [_followed(book, episode) for episode in episodes(book)]


def episodes(book: Book) -> list[Episode]:
    """ "One row per person and episode: it begins with a positive single sample, or with a case that no such sample belongs to"."""
    samples: dict[str, list[Positive]] = {}
    for row in book["test_results"]:
        if row["采样方式"] == "单采" and row["检测结果"] == "阳性" and book.known(row["采样时间"]):
            result_at = row["检测时间"] or row["更新时间"]  # "The result is the sample's 检测时间, else its 更新时间"
            if book.known(result_at):
                samples.setdefault(row["证件号码"], []).append(Positive(row["采样时间"], result_at))
    cases: dict[str, list[Record]] = {}
    for row in book["cases"]:
        if row["采样日期"] <= book.day and (row["报告时间"] is None or book.known(row["报告时间"])):
            cases.setdefault(row["证件号码"], []).append(row)
    all_episodes = []
    for person in sorted(samples.keys() | cases.keys()):
        all_episodes += _episodes_of(
            person,
            sorted(samples.get(person, []), key=lambda s: (s.at, s.result_at)),
            sorted(cases.get(person, []), key=lambda row: (row["采样日期"], row["病例编号"])),
            book.day,
        )
    return all_episodes


def _episodes_of(person: str, samples: list[Positive], cases: list[Record], today: date) -> list[Episode]:
    person_episodes: list[Episode] = []
    while samples or cases:
        first = samples[0] if samples else None
        before = [row for row in cases if first is None or not _reports(row, first, today)]
        earlier = [row for row in before if first is None or row["采样日期"] <= first.day]
        if earlier:
            episode = Episode(person, None, earlier[0], bool(person_episodes))
        else:
            own = [row for row in cases if first and _reports(row, first, today)]
            episode = Episode(person, first, own[0] if own else None, bool(person_episodes))
        person_episodes.append(episode)
        end = episode.ends_on(today)
        samples = [s for s in samples if s is not episode.sample and s.day > end]
        cases = [row for row in cases if row is not episode.case and row["采样日期"] > end]
    return person_episodes


def _reports(row: Record, sample: Positive, today: date) -> bool:
    """ "a cases row of the person whose 采样日期 is not more than 3 days before the sample's date and whose 出院日期, if any,
    is not before it".
    """
    gone = row["出院日期"] if row["出院日期"] and row["出院日期"] <= today else FOREVER
    return bool(row["采样日期"] >= sample.day - timedelta(CASE_BEFORE_SAMPLE_DAYS) and gone >= sample.day)


def _followed(book: Book, episode: Episode) -> Followed:
    case, sample = episode.case, episode.sample
    reported = transferred = admitted = gone = None
    if case:
        # "转运时间, 收治机构, 入院时间 may be missing from older files".
        reported, transferred = book.known(case["报告时间"]), book.known(case.get("转运时间"))
        admitted = book.known(case.get("入院时间"))
        gone = book.known(start_of(case["出院日期"])) if case["出院日期"] else None
    if sample:
        sampled_at, result_at, clock = sample.at, sample.result_at, sample.result_at
    else:  # "of a case without a sample the clock runs from 报告时间, else from 采样日期"
        assert case
        sampled_at, result_at = start_of(case["采样日期"]), None
        clock = reported or sampled_at
    moved = transferred or admitted or gone  # "A case with 入院时间 or 出院日期 counts as transferred."
    is_reported = reported is not None or (case is not None and case["报告时间"] is None)
    stage = "not_reported"
    if is_reported:
        stage = "admitted" if admitted else "transferred" if moved else "not_transferred"
    due = clock + TRANSFER_LIMIT
    # "the hours are counted and shown from the first minute, to the later of both, else to the end of D"
    done = max(moved, reported or moved) if is_reported and moved else None
    until = done or end_of(book.day)
    done_status = "satisfied" if done and done <= due else "satisfied_late"
    status = done_status if done else "overdue" if due < end_of(book.day) else "waiting"
    return Followed(
        episode.person, case["病例编号"] if case and is_reported else "", sampled_at, result_at, reported, transferred,
        admitted, stage, episode.again, max(0.0, hours_between(clock, until)), due, status,
    )  # fmt: skip
