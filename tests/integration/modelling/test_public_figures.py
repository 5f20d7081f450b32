"""Article 31: nobody learns a small count from what is published, whatever is added up or taken away."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import psycopg
import pytest
from scipy.optimize import linprog

from tests import support
from yingjian.database import warehouse
from yingjian.settings import Settings

PARTS = {
    "infection": ("confirmed", "asymptomatic"),
    "testing": ("compliant", "overdue"),
    "vaccination": ("booster", "full_course", "covered", "uncovered"),
}
WHOLES = {"infection": "infected", "testing": "required", "vaccination": "residents_60plus"}
Cells = dict[
    tuple[str, str, str], int
]  # The keys are topic, figure and community ('' for the town); the values are persons.


@pytest.fixture(scope="module")
def model(world: Settings) -> str:
    """The model as dbt compiled it for the session's town, over counts of the test's own."""
    compiled = world.dbt_target / "compiled" / "yingjian" / "models" / "marts" / "public_figure.sql"
    text = compiled.read_text(encoding="utf-8")
    relation = '"yingjian"."build"."public_count"'
    assert relation in text
    return (
        text.replace(relation, "pg_temp.public_count")
        .replace('"yingjian"."build"."risk_zone"', '"yingjian"."reporting"."risk_zone"')
        .replace('"yingjian"."build"."town_state"', '"yingjian"."reporting"."town_state"')
    )


@pytest.fixture
def conn(world: Settings) -> Iterator[psycopg.Connection]:
    with warehouse.connect(world) as connection:
        connection.execute("create temp table public_count (topic text, figure text, community text, value int)")
        yield connection
        connection.rollback()


def published(conn: psycopg.Connection, model: str, counts: Cells) -> dict[tuple[str, str, str], int | None]:
    """The model shows these of the counts; None stands for a hidden one."""
    conn.execute("truncate public_count")
    with conn.cursor() as cursor:
        cursor.executemany(
            "insert into public_count values (%s, %s, %s, %s)", [(*key, value) for key, value in counts.items()]
        )
    rows = conn.execute(
        f"select topic, figure, community, value from ({model}) as figures where topic in ('infection', 'testing', 'vaccination')"
    )  # type: ignore[arg-type]
    return {(topic, figure, place): value for topic, figure, place, value in rows}


def made_up(seed: int) -> Cells:
    """Counts of a town with many small ones: most communities have a few, some nobody, some many."""
    choose = random.Random(seed)
    places = [f"社区{number}" for number in range(choose.randint(1, 7))]
    sizes = choose.choice([(0, 1, 2, 3, 5, 6, 30), (0, 0, 0, 0, 3), (0, 5, 6, 7, 40), (1, 9, 20, 30, 50, 60)])
    return {
        (topic, part, place): choose.choice(sizes)
        for topic, parts in PARTS.items()
        for part in parts
        for place in places
    }


def truth(counts: Cells) -> Cells:
    """Every figure there is: the parts, their wholes and the town's sums."""
    everything: Cells = defaultdict(int)
    for (topic, part, place), value in counts.items():
        for figure in (part, WHOLES[topic]):
            for where in (place, ""):
                everything[topic, figure, where] += value
    return dict(everything)


def bounds(
    counts: Cells, shown: dict[tuple[str, str, str], int | None], key: tuple[str, str, str]
) -> tuple[float, float]:
    """A reader knows this of a hidden figure: its least and its greatest possible value, from every sum that is shown."""
    topic = key[0]
    atoms = sorted(cell for cell in counts if cell[0] == topic)

    def terms(figure: str, place: str) -> np.ndarray:
        return np.array([
            float((figure in (WHOLES[topic], part)) and place in ("", where)) for _, part, where in atoms
        ])  # fmt: skip

    known = [
        (terms(figure, place), value) for (t, figure, place), value in shown.items() if t == topic and value is not None
    ]
    equations = {"A_eq": np.array([row for row, _ in known]), "b_eq": [value for _, value in known]} if known else {}
    wanted = terms(*key[1:])
    least = linprog(wanted, bounds=(0, None), **equations)
    most = linprog(-wanted, bounds=(0, None), **equations)
    assert least.status == 0 and most.status in (0, 3)
    return least.fun, -most.fun if most.status == 0 else float("inf")


@pytest.mark.parametrize("seed", range(40))
def test_no_small_count_can_be_worked_out(seed: int, conn: psycopg.Connection, model: str) -> None:
    counts = made_up(seed)
    everything, shown = truth(counts), published(conn, model, counts)
    assert set(shown) == set(everything)
    for key, value in shown.items():
        assert value is None or (value == everything[key] and not 1 <= value <= 4), key
    for key, value in everything.items():
        if 1 <= value <= 4:
            least, most = bounds(counts, shown, key)
            assert most - least > 0.5, (key, value, least, most)
    for topic, parts in PARTS.items():
        for figure in (*parts, WHOLES[topic]):
            places = [shown[topic, figure, place] for t, f, place in shown if (t, f) == (topic, figure) and place]
            total = shown[topic, figure, ""]
            if total is not None and None in places:
                assert not 1 <= total - sum(value or 0 for value in places) <= 4, (topic, figure)


def test_the_check_of_this_test_finds_a_leak(conn: psycopg.Connection, model: str) -> None:
    """One hidden community beside a shown sum is no protection; the reader of this test takes it apart."""
    counts = {("testing", part, place): 20 for part in PARTS["testing"] for place in ("甲", "乙")}
    counts["testing", "overdue", "甲"] = 3
    shown: dict[tuple[str, str, str], int | None] = dict(truth(counts))
    shown["testing", "overdue", "甲"] = None
    assert bounds(counts, shown, ("testing", "overdue", "甲")) == (3, 3)


def test_what_is_large_enough_is_shown(conn: psycopg.Connection, model: str) -> None:
    counts = {(topic, part, place): 5 for topic, parts in PARTS.items() for part in parts for place in ("甲", "乙")}
    assert published(conn, model, counts) == truth(counts)


def test_the_town_s_own_figures_are_those_of_the_marts(world: Settings) -> None:
    shown = dict(
        support.query(
            world,
            "select figure, value from published.public_figure where community = '' and publication_id = (select publication_id from published.current)",
        )
    )
    [sums] = support.query(
        world,
        """
        select
            (select sum(required) from reporting.compliance_daily where as_of_date = current.as_of_date and is_headline),
            (select sum(residents) from reporting.vaccination_60plus),
            (select count(*) from reporting.risk_zone where level = '高'),
            (
                select count(distinct person_key) from reporting.control
                where status in ('in_isolation', 'in_monitoring')
            )
        from reporting.publication as current
        """,
    )
    assert (shown["required"], shown["residents_60plus"], shown["high"], shown["controlled"]) == sums
