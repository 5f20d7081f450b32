"""The clocks of articles 7, 19, 24, 25 and 26 and the signals of section four over the simulated town, each against an
independent reading of the same rows of staging."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest

from tests import support
from tests.conftest import WORLD_DAY
from yingjian.settings import Settings

END = datetime.combine(WORLD_DAY + timedelta(days=1), time())  # The moment is 24:00 of D.
MARTS = ["contact_clock", "push_clearance", "push_outstanding", "pool_followup", "pharmacy_followup", "signal"]


def known(moment: datetime | None) -> datetime | None:
    """A moment that has come by the end of D."""
    return moment if moment and moment < END else None


@pytest.mark.parametrize("mart", MARTS)
def test_the_mart_is_not_empty(world: Settings, mart: str) -> None:
    dates = support.query(world, f"select distinct as_of_date from reporting.{mart}")
    assert dates == [(WORLD_DAY,)]


# The tests below follow articles 25 and 26.


def contacts_by_hand(world: Settings) -> dict[str, tuple[str, datetime | None]]:
    """Contact to status and the isolation that counts."""
    contacts: dict[str, tuple[str, datetime | None]] = {}
    for key, category, judged, isolated, method in support.query(
        world, "select contact_key, category, judged_at, isolated_at, isolation_method from staging.contacts"
    ):
        if judged >= END:
            continue
        right = {"集中"} if category == "密接" else {"集中", "居家"}
        stopped = known(isolated) if method in right else None
        deadline = judged + timedelta(hours=8)
        stopped_status = "in_time" if stopped and stopped <= deadline else "late"
        contacts[key] = (stopped_status if stopped else "overdue" if deadline < END else "running", stopped)
    return contacts


def test_contacts(world: Settings) -> None:
    rows = support.query(
        world, "select contact_key, status, isolated_at, hours, within_8h from reporting.contact_clock"
    )
    assert {row[0]: row[1:3] for row in rows} == contacts_by_hand(world)
    assert {row[1] for row in rows} == {"in_time", "late", "running", "overdue"}
    by_key = {row[0]: row[3:] for row in rows}
    assert by_key["CK0000"] == (8, True) and by_key["CK0001"] == (9.5, False)
    assert by_key["CK0002"] == by_key["CK0003"] == (None, False) and by_key["CK0005"] == (None, None)


# The tests below follow article 7.


def test_pushed_lists(world: Settings) -> None:
    isolated = {key: moment for key, (_, moment) in contacts_by_hand(world).items()}
    records = [
        *support.query(
            world,
            "select 'arrivals', arrival_key, coalesce(community, ''), arrival_date, pushed_at, investigated_at from staging.arrivals",
        ),
        *support.query(
            world,
            "select 'pharmacy_purchases', purchase_key, coalesce(community, ''), purchased_at::date, pushed_at, investigated_at from staging.pharmacy_purchases",
        ),
        *support.query(
            world,
            "select 'referrals', referral_key, coalesce(community, ''), handed_down_at::date, handed_down_at, verified_at from staging.referrals",
        ),
        *(
            ("contacts", key, community, judged.date(), judged, isolated.get(key))
            for key, community, judged in support.query(
                world, "select contact_key, coalesce(community, ''), judged_at from staging.contacts"
            )
        ),
    ]
    counts: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    open_keys = set()
    for feed, key, community, _, pushed_at, cleared_at in records:
        pushed, cleared = known(pushed_at), known(cleared_at)
        if pushed is None:
            continue  # A record that was not pushed is in no row.
        state = "open" if cleared is None else "same_day" if cleared.date() <= pushed.date() else "late"
        counts[feed, pushed.date(), community][state] += 1
        if state == "open":
            open_keys.add((feed, key))
    rows = support.query(
        world,
        "select feed, push_date, community, cleared_same_day, cleared_late, open, pushed from reporting.push_clearance",
    )
    names = ("same_day", "late", "open")
    assert {row[:3]: row[3:6] for row in rows} == {
        key: tuple(count[name] for name in names) for key, count in counts.items()
    }
    assert all(row[6] == sum(row[3:6]) > 0 for row in rows)
    assert all(sum(row[i] for row in rows) for i in range(3, 6))
    assert set(support.query(world, "select feed, record_key from reporting.push_outstanding")) == open_keys
    assert {feed for feed, _ in open_keys} >= {"arrivals", "contacts", "pharmacy_purchases"}


# The tests below follow article 24.


def test_positive_tubes(world: Settings) -> None:
    samples = support.query(
        world,
        """
        select person_key, sampled_at, sampling_method = '单采', tube_no, tested_at, result from staging.test_results
        order by sampled_at, result <> '阳性'
        """,
    )
    results: dict[str, datetime] = {}
    for _, _, is_single, tube, tested, result in samples:
        if not is_single and tube and result == "阳性" and known(tested):
            results[tube] = min(tested, results.get(tube, tested))
    expected = {}
    for person, sampled, is_single, tube, _, _ in samples:
        if is_single or tube not in results or sampled >= END:
            continue
        due = results[tube] + timedelta(hours=24)
        after = [s for s in samples if s[0] == person and s[2] and s[5] != "无效" and results[tube] < s[1] < END]
        if after:
            status = {"待出": "pending", "阴性": "negative", "阳性": "positive"}[after[0][5]]
            expected[tube, person] = (status, after[0][1] > due, after[0][1])
        else:
            expected[tube, person] = ("overdue", True, None) if due < END else ("waiting", False, None)
    rows = support.query(
        world, "select tube_no, person_key, status, is_late, resampled_at from reporting.pool_followup"
    )
    assert {row[:2]: row[2:] for row in rows} == expected
    assert {(row[2], row[3]) for row in rows} == {
        ("negative", False), ("negative", True), ("positive", False), ("pending", False), ("overdue", True), ("waiting", False),
    }  # fmt: skip


def test_positive_tubes_have_their_duty(world: Settings) -> None:
    """The members of the mart are those of the obligation P24."""
    assert support.query(world, "select membership_id from reporting.pool_followup order by 1") == support.query(
        world, "select membership_id from reporting.obligation where group_code = 'P24' order by 1"
    )


# The tests below follow article 19.


def test_purchases(world: Settings) -> None:
    """Every purchase is there with the test of its obligation, and the catalogue knows what it can."""
    rows = support.query(
        world,
        """
        select purchase_id, drug, matched_ingredient, is_monitored, drug_mismatch, clearance, cleared_same_day, status
        from reporting.pharmacy_followup
        """,
    )
    duties = support.query(
        world, "select split_part(membership_id, ':', 2), status from reporting.obligation where group_code = 'P19'"
    )
    assert {(row[0], row[7]) for row in rows} == set(duties)
    assert {row[5] for row in rows} == {"same_day", "late", "open", "not_pushed"}
    assert {row[7] for row in rows} >= {"upcoming", "overdue", "satisfied"}
    story = {row[0]: row[2:7] for row in rows if row[0].startswith("PK")}
    assert story == {
        "PK0000": ("布洛芬", True, None, "same_day", True),
        "PK0001": ("连花清瘟", True, None, "open", False),
        "PK0002": ("对乙酰氨基酚", True, None, "same_day", True),
        "PK0003": ("右美沙芬", True, None, "late", False),
        "PK0004": ("阿莫西林", True, None, "same_day", True),
        "PK0005": ("红霉素", False, "剂型（软膏）不在监测范围", "same_day", True),
        "PK0006": (None, True, "药品不在目录中", "same_day", True),
        "PK0007": ("氨溴索", True, "登记为抗生素，目录为止咳", "not_pushed", None),
    }


# The tests below follow section 3 (四).


def spans(bought: list[tuple[date, Any]], is_enough: Any) -> set[tuple[date, date]]:
    """First and last day of the runs of overlapping windows of three days that end on a purchase and are enough."""
    periods: list[tuple[date, date]] = []
    for end in sorted({day for day, _ in bought}):
        window = [purchase for purchase in bought if end - timedelta(days=2) <= purchase[0] <= end]
        if not is_enough(window):
            continue
        if periods and (end - periods[-1][1]).days <= 2:
            periods[-1] = (periods[-1][0], end)
        else:
            periods.append((min(day for day, _ in window), end))
    return set(periods)


def test_signals(world: Settings) -> None:
    homes = dict(
        (person, (community, grid))
        for person, community, grid in support.query(world, "select person_key, community, grid from staging.residents")
    )
    by_person: dict[str, set[tuple[date, Any]]] = defaultdict(set)
    by_grid: dict[tuple[str, str], set[tuple[date, Any]]] = defaultdict(set)
    for person, moment in support.query(
        world,
        "select person_key, purchased_at from staging.pharmacy_purchases where drug not like '%%软膏%%' and purchased_at < %s",
        END,
    ):
        by_person[person].add((moment.date(), moment))
        by_grid[homes[person]].add((moment.date(), person))
    repeats = {
        (person, *span) for person, bought in by_person.items() for span in spans(list(bought), lambda w: len(w) >= 2)
    }
    clusters = {
        (*place, *span)
        for place, bought in by_grid.items()
        for span in spans(list(bought), lambda w: len({person for _, person in w}) >= 3)
    }
    assert repeats and clusters
    assert repeats == set(
        support.query(
            world, "select person_key, first_on, last_on from reporting.signal where kind = 'repeat_purchase'"
        )
    )
    assert clusters == set(
        support.query(
            world, "select community, grid, first_on, last_on from reporting.signal where kind = 'grid_cluster'"
        )
    )
    assert support.query(world, "select distinct is_new from reporting.signal order by 1") == [(False,), (True,)]


def test_everyone_can_be_found(world: Settings) -> None:
    for mart in MARTS:
        if mart == "push_clearance":
            continue
        lost = support.query(
            world,
            f"""
            select person_key from reporting.{mart} where person_key is not null
            and person_key not in (select person_key from restricted.person where name <> '' and phone <> '')
            """,
        )
        assert lost == [], mart
