"""These tests read as analysts do, over thirty published days: through `yingjian.marts`, and by the questions of docs/questions."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlparse

import nbformat
import pandas as pd
import psycopg
import pytest
from nbclient import NotebookClient
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from tests import support
from tests.conftest import WORLD_DAY, HomeFactory
from yingjian import marts
from yingjian.bi import datasets
from yingjian.database import warehouse
from yingjian.modelling.dbt_project import prepare_manifest
from yingjian.people.audience import Audience
from yingjian.privacy import access
from yingjian.settings import PROJECT_ROOT, Settings

QUESTIONS = sorted((PROJECT_ROOT / "docs" / "questions").glob("*.sql"))
DAYS = 30
Row = tuple[Any, ...]


@pytest.fixture(scope="module")
def town(home_factory: HomeFactory, built_town: Settings) -> Settings:
    """Two days that were built and published, and 28 days before them whose history is made from theirs."""
    settings = home_factory("analysts", built_town)
    support.release(settings, WORLD_DAY)
    with warehouse.connect(settings) as conn:
        ((current,),) = conn.execute("select publication_id from published.current").fetchall()
        for back in range(2, DAYS):
            past_day(conn, current, 1000 + back, WORLD_DAY - timedelta(days=back))
        happenings(conn, current)
    return settings


def past_day(conn: psycopg.Connection[Any], current: int, publication: int, day: date) -> None:
    copied(conn, "publication", current, publication, day, run_key=f"day {day}", previous_publication_id=None)
    for mart in ("compliance_daily", "indicator_daily"):
        conn.execute(
            f"create table published.{mart}_p{publication} partition of published.{mart} for values in ({publication})".encode()
        )
        copied(conn, mart, current, publication, day)
    back = (WORLD_DAY - day).days
    conn.execute(
        f"update published.compliance_daily_p{publication} set overdue = (overdue + {back} * length(unit_key)) % 3".encode()
    )
    conn.execute(
        f"""
        update published.indicator_daily_p{publication}
        set part = greatest(part - {back}, 0),
            value_shown = case when whole is null then greatest(part - {back}, 0) else value_shown end
        """.encode()
    )
    if back % 9 == 0:
        conn.execute(
            "update published.publication set quality_status = 'released_by_hand' where publication_id = %s",
            [publication],
        )


def copied(
    conn: psycopg.Connection[Any], table: str, current: int, publication: int, day: date, **changes: Any
) -> None:
    values = Jsonb({"publication_id": publication, "as_of_date": str(day)} | changes)
    conn.execute(
        f"""
        insert into published.{table}
        select changed.* from published.{table} as row
        cross join lateral jsonb_populate_record(row, %s) as changed where row.publication_id = %s
        """.encode(),
        [values, current],
    )


def happenings(conn: psycopg.Connection[Any], current: int) -> None:
    """A quiet town lacks runs of being overdue that ended, persons who missed tests, zones, and rounds: they are added."""
    conn.execute(
        f"""
        update published.overdue_episode_p{current} set cured_by = 'sample', days = 1 + length(obligation_id) % 5,
            to_date = from_date + length(obligation_id) % 5
        where length(obligation_id) % 3 > 0;
        update published.obligation_p{current} set status = 'missed', due_date = as_of_date - length(obligation_id) % 25
        where person_key in (
            select person_key from published.obligation_p{current} group by person_key having count(*) >= 3
            order by person_key limit 40
        );
        """.encode()
    )
    made: list[tuple[str, dict[str, Any]]] = [
        ("zone_level_period", {"zone_id": "Z1", "name": "甲", "run_number": 1, "level": "高", "from_date": "2022-07-01", "days": 9, "rule_days": 7}),
        ("zone_level_period", {"zone_id": "Z2", "name": "乙", "run_number": 1, "level": "高", "from_date": "2022-07-02", "days": 6, "rule_days": None}),
        ("zone_level_period", {"zone_id": "Z2", "name": "乙", "run_number": 2, "level": "中", "from_date": "2022-07-08", "days": 3, "rule_days": 3}),
        ("screening_round", {"round_id": "R1", "community": "甲", "grid": "1", "in_scope": 20, "hours_to_95_percent": 17.5}),
        ("screening_round", {"round_id": "R1", "community": "甲", "grid": "2", "in_scope": 20, "hours_to_95_percent": None}),
        ("screening_round", {"round_id": "R1", "community": "乙", "grid": "", "in_scope": 0}),
    ]  # fmt: skip
    for mart, values in made:
        row = Jsonb(required(conn, mart, current) | {"publication_id": current, "as_of_date": str(WORLD_DAY)} | values)
        conn.execute(
            f"insert into published.{mart} select * from jsonb_populate_record(null::published.{mart}, %s)".encode(),
            [row],
        )


def required(conn: psycopg.Connection[Any], mart: str, current: int) -> dict[str, Any]:
    """Return a value for each column that must have one."""
    values = {"text": "", "boolean": False, "integer": 0, "double precision": 0, "text[]": []}
    return {
        name: values.get(kind, str(WORLD_DAY))
        for name, kind in conn.execute(
            """
            select attname, format_type(atttypid, null) from pg_attribute
            where attrelid = to_regclass(%s) and attnum > 0 and attnotnull
            """,
            [f"published.{mart}_p{current}"],
        )
    }


@pytest.fixture
def reader(town: Settings) -> Iterator[psycopg.Connection[Any]]:
    with warehouse.connect(town, "bi_reader") as conn:
        yield conn


def rows(conn: psycopg.Connection[Any], mart: str) -> list[Any]:
    """Return all rows of a reader's view."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return [SimpleNamespace(**row) for row in cursor.execute(f"select * from reporting.{mart}".encode())]


def grouped(found: list[Any], *names: str) -> dict[Any, list[Any]]:
    groups = defaultdict(list)
    for row in found:
        groups[tuple(getattr(row, name) for name in names)].append(row)
    return groups


def monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def units_overdue_three_days(read: Callable[[str], list[Any]]) -> Iterator[Row]:
    days = sorted({row.as_of_date for row in read("compliance_daily")})[-3:]
    late = [row for row in read("compliance_daily") if row.is_headline and row.overdue and row.unit_key]
    for (unit,), found in grouped(late, "unit_key").items():
        if set(days) <= {row.as_of_date for row in found}:
            yield unit, max(row.unit for row in found), sum(row.overdue for row in found if row.is_current)


def slowest_to_clear_pushes(read: Callable[[str], list[Any]]) -> Iterator[Row]:
    recent = [row for row in read("push_clearance") if row.push_date > WORLD_DAY - timedelta(days=28)]
    for (community,), found in grouped(recent, "community").items():
        if cleared := sum(row.pushed - row.open for row in found):
            yield community, sum(row.hours_to_clear for row in found) / cleared, sum(row.open for row in found)


def hours_to_isolation_by_week(read: Callable[[str], list[Any]]) -> Iterator[Row]:
    weeks = defaultdict(list)
    for row in read("contact_clock"):
        if row.hours is not None and not row.is_infected:
            weeks[monday(row.judged_at.date())].append(row.hours)
    for week, hours in weeks.items():
        yield week, len(hours), median(hours)


def purchases_in_time_by_pharmacy(read: Callable[[str], list[Any]]) -> Iterator[Row]:
    due = [row for row in read("pharmacy_followup") if row.status not in ("upcoming", "exempt", "void")]
    for (unit,), found in grouped(due, "unit_key").items():
        in_time = sum(row.status == "satisfied" for row in found)
        yield unit, max(row.pharmacy for row in found), len(found), in_time / len(found)


def days_zones_stayed_high(read: Callable[[str], list[Any]]) -> Iterator[Row]:
    for row in read("zone_level_period"):
        if row.level == "高":
            more = None if row.rule_days is None else row.days - row.rule_days
            yield row.zone_id, row.run_number, row.name, row.from_date, row.days, row.rule_days, more


def hours_to_result_by_institution(read: Callable[[str], list[Any]]) -> Iterator[Row]:
    recent = [row for row in read("lab_turnaround_daily") if (WORLD_DAY - row.sampled_on).days < 14]
    for (institution,), found in grouped(recent, "institution").items():
        timed = [row for row in found if row.median_hours is not None]
        weight = sum(row.timed for row in timed)
        hours = sum(row.median_hours * row.timed for row in timed) / weight if weight else None
        yield institution, sum(row.samples for row in found), sum(row.late for row in found), hours


def persons_by_point_and_hour(read: Callable[[str], list[Any]]) -> Iterator[Row]:
    recent = [row for row in read("sampling_point_hourly") if (WORLD_DAY - row.sampled_on).days < 7]
    for (point, hour), found in grouped(recent, "sampling_point", "hour").items():
        yield point, hour, sum(row.persons for row in found), max(row.persons for row in found)


def forecast_against_capacity(read: Callable[[str], list[Any]]) -> Iterator[Row]:
    days: Counter[date] = Counter()
    for row in read("sampling_point_hourly"):
        if (WORLD_DAY - row.sampled_on).days < 14:
            days[row.sampled_on] += row.persons
    best = max(days.values(), default=0)
    for (due_date,), found in grouped(read("due_forecast"), "due_date").items():
        due = sum(row.tests_due for row in found)
        yield due_date, due, best, due > best


def of_the_town(read: Callable[[str], list[Any]]) -> dict[tuple[date, str], Any]:
    return {
        (row.as_of_date, row.indicator_code): row
        for row in read("indicator_daily")
        if row.community is None and row.department is None
    }


def trend_of_overdue(read: Callable[[str], list[Any]]) -> Iterator[Row]:
    town = of_the_town(read)
    for back in range(DAYS):
        day = WORLD_DAY - timedelta(days=back)
        yield day, town[day, "overdue"].value_shown, town[day, "compliance"].value_shown


def trends_of_the_town(read: Callable[[str], list[Any]]) -> Iterator[Row]:
    words = {row.indicator_code: row for row in read("indicator")}
    town = of_the_town(read)
    for code in ("zones", "controlled", "screening_coverage", "vaccination", "teams_short"):
        for back in range(DAYS):
            day = WORLD_DAY - timedelta(days=back)
            yield day, code, words[code].title, words[code].unit, town[day, code].value_shown


def overdue_by_department(read: Callable[[str], list[Any]]) -> Iterator[Row]:
    departments: Counter[str] = Counter()
    for row in read("compliance_daily"):
        if row.is_current and row.is_headline:
            for department in filter(None, row.department.split("、")):
                departments[department] += row.overdue
    yield from ((name, count) for name, count in departments.items() if count)


def persons_with_three_misses(read: Callable[[str], list[Any]]) -> Iterator[Row]:
    missed = [row for row in read("obligation") if row.status == "missed" and (WORLD_DAY - row.due_date).days < 21]
    for (person,), found in grouped(missed, "person_key").items():
        if len(found) >= 3:
            yield person, len(found), max(row.due_date for row in found)


def days_until_cured_by_unit(read: Callable[[str], list[Any]]) -> Iterator[Row]:
    cured = [row for row in read("overdue_episode") if row.cured_by == "sample" and row.unit_key]
    for (unit,), found in grouped(cured, "unit_key").items():
        yield unit, len(found), median(row.days for row in found)


def hours_to_95_percent_of_a_round(read: Callable[[str], list[Any]]) -> Iterator[Row]:
    for row in read("screening_round"):
        if row.in_scope:
            yield row.round_id, row.community, row.grid, row.in_scope, row.hours_to_95_percent


def data_and_releases_by_week(read: Callable[[str], list[Any]]) -> Iterator[Row]:
    town = of_the_town(read)
    weeks: dict[date, list[int]] = defaultdict(lambda: [0, 0, 0])
    for row in read("publication_history"):
        day, before = row.as_of_date, row.as_of_date - timedelta(days=1)
        week = weeks[monday(day)]
        week[0] += town[day, "feeds"].part
        if (before, "rejected") in town:
            week[1] += town[day, "rejected"].part - town[before, "rejected"].part
        week[2] += row.quality_status == "released_by_hand"
    for week, counts in weeks.items():
        yield week, *counts


def comparable(found: list[Row]) -> list[str]:
    """Rows in one order, numbers as they read to nine digits."""
    return sorted(
        str([f"{float(v):.9g}" if isinstance(v, int | float) or hasattr(v, "as_tuple") else str(v) for v in row])
        for row in found
    )


@pytest.mark.parametrize("path", QUESTIONS, ids=lambda path: path.stem)
def test_a_question_s_answer_is_the_one_of_a_plain_reading(path: Path, reader: psycopg.Connection[Any]) -> None:
    answers: list[Row] = reader.execute(path.read_bytes()).fetchall()
    plain = globals()[path.stem.partition("_")[2]]
    assert comparable(answers) == comparable(list(plain(lambda mart: rows(reader, mart))))
    assert answers, "an answer without rows shows nothing"


def test_there_are_fifteen_questions_and_each_begins_with_itself() -> None:
    assert len(QUESTIONS) == 15
    for path in QUESTIONS:
        first = path.read_text(encoding="utf-8").splitlines()[0]
        assert first.startswith("-- ") and "?" in first, path.name


def test_a_correction_does_not_make_a_day_late(town: Settings) -> None:
    """The first publication of a business date counts; the share of days by 06:30 is a metric of bi/datasets.yml."""
    published = "select published_at, first_published_at, is_correction from reporting.publication_history where as_of_date = %s"
    share = datasets.load(PROJECT_ROOT, prepare_manifest(town))["publications"]
    punctual = f"select {share.metrics['published_in_time'].sql} from ({share.sql}) as dataset"
    day = WORLD_DAY - timedelta(days=5)
    with warehouse.connect(town) as conn:
        for back in range(DAYS):
            published_day = WORLD_DAY - timedelta(days=back)
            late = timedelta(hours=7 if back % 10 == 3 else 6)
            conn.execute(
                "update published.publication set published_at = %s where as_of_date = %s",
                [datetime.combine(published_day + timedelta(days=1), time()) + late, published_day],
            )
        assert conn.execute(punctual.encode()).fetchone() == (pytest.approx(27 / 30),)
        [(first,)] = conn.execute("select publication_id from published.publication where as_of_date = %s", [day])
        later = datetime.combine(WORLD_DAY, time(12))
        copied(
            conn, "publication", first, 5000, day,
            published_at=str(later), is_correction=True, run_key="again", previous_publication_id=None,
        )  # fmt: skip
        [(newest, earliest, is_correction)] = conn.execute(published.encode(), [day]).fetchall()
        assert (newest.replace(tzinfo=None), is_correction) == (later, True)
        assert earliest.replace(tzinfo=None) == datetime.combine(day + timedelta(days=1), time(6))
        assert conn.execute(punctual.encode()).fetchone() == (pytest.approx(27 / 30),)
        conn.rollback()


NOTEBOOK = PROJECT_ROOT / "docs" / "questions.ipynb"
# The kernel prints the rows of each answer: a day as a day, what is missing as None.
PRINT = """
import json

def plain(value):
    if pd.isna(value):
        return None
    return str(value.date()) if isinstance(value, pd.Timestamp) else value.item() if hasattr(value, "item") else value

answers = {name: [[plain(cell) for cell in row] for row in frame.itertuples(index=False)]
           for name, frame in globals().items() if name.startswith("answer_")}
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def answers(town: Settings) -> dict[str, list[Row]]:
    """The fixture runs the notebook in a kernel of its own and gives its answers by the number of the question."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(PRINT))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YINGJIAN_HOME", str(town.home))
        NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    printed = json.loads(notebook.cells[-1].outputs[-1].text)
    return {name.removeprefix("answer_"): [tuple(row) for row in found] for name, found in printed.items()}


@pytest.mark.parametrize("path", QUESTIONS, ids=lambda path: path.stem)
def test_the_notebook_s_answer_is_the_one_of_a_plain_reading(
    path: Path, reader: psycopg.Connection[Any], answers: dict[str, list[Row]]
) -> None:
    number, _, name = path.stem.partition("_")
    assert comparable(answers[number]) == comparable(list(globals()[name](lambda mart: rows(reader, mart))))


def test_the_notebook_asks_what_the_files_ask_and_is_committed_without_answers() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    asked = [cell.source.partition(". ")[2] for cell in notebook.cells if cell.source.startswith("## ")]
    assert asked == [path.read_text(encoding="utf-8").splitlines()[0].removeprefix("-- ") for path in QUESTIONS]
    assert all(not cell.outputs for cell in notebook.cells if cell.cell_type == "code")


# The tests below open the door `yingjian.marts`.


@pytest.fixture
def url(town: Settings) -> str:
    return warehouse.uri(town, "bi_reader")


def test_types_are_those_that_one_calculates_with(url: str) -> None:
    overdue = marts.read("overdue", url=url)
    assert len(overdue) > 0
    assert overdue["due_date"].dtype == "datetime64[s]" and overdue["days_overdue"].dtype == "Int64"
    assert overdue["slot"].dtype == "Int64", "a number that may be missing stays a whole number"
    assert overdue["needs_review"].dtype == "boolean" and overdue["unit"].dtype == "string"
    assert overdue["status"].cat.ordered
    assert (
        overdue["status"].cat.categories.tolist()[:2] == marts.labels("overdue", "status", url=url).index.tolist()[:2]
    )
    contacts = marts.read("contact_clock", url=url)
    assert contacts["hours"].dtype == "Float64" and contacts["judged_at"].dtype == "datetime64[us]"
    senders = marts.read("feed_sender_daily", url=url)
    assert isinstance(senders["last_at"].dtype, pd.DatetimeTZDtype)


def test_attributes_say_what_the_rows_are(url: str) -> None:
    overdue = marts.read("overdue", columns=["community", "status"], url=url)
    assert overdue.attrs["titles"] == {"community": "社区", "status": "状态"}
    assert overdue.attrs["as_of_date"] == WORLD_DAY and overdue.attrs["mart"] == "overdue"
    assert overdue.attrs["codes"]["status"]["overdue"] == "逾期"
    shown = marts.titled(overdue)
    assert shown.columns.tolist() == ["社区", "状态"] and set(shown["状态"]) == {"逾期"}


def test_filters_find_one_of_several_names(url: str) -> None:
    every = marts.read("compliance_daily", url=url)
    cell = next(cell for cell in every["department"] if "、" in cell)
    one = marts.read("compliance_daily", department=cell.split("、")[0], url=url)
    assert cell in set(one["department"]) and len(one) < len(every)
    community = every["community"].mode()[0]
    assert set(marts.read("compliance_daily", community=community, url=url)["community"]) == {community}
    two = marts.read("compliance_daily", group_code=["9", "8"], url=url)
    assert set(two["group_code"]) == {"9", "8"}


def test_dates_choose_from_history_and_nothing_else_has_any(url: str) -> None:
    assert set(marts.read("compliance_daily", url=url)["as_of_date"].dt.date) == {WORLD_DAY}
    week = marts.read("compliance_daily", since=WORLD_DAY - timedelta(days=6), url=url)
    assert week["as_of_date"].nunique() == 7
    day = WORLD_DAY - timedelta(days=3)
    assert set(marts.read("compliance_daily", date=day, url=url)["as_of_date"].dt.date) == {day}
    assert len(marts.read("overdue", date=WORLD_DAY, url=url)) == len(marts.read("overdue", url=url))
    with pytest.raises(ValueError, match="no history"):
        marts.read("overdue", date=day, url=url)
    with pytest.raises(ValueError, match="either date"):
        marts.read("overdue", date=day, since=day, url=url)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda url: marts.read("nothing", url=url), "no mart reporting.nothing"),
        (lambda url: marts.read("overdue", colour="red", url=url), "no column colour"),
        (lambda url: marts.read("overdue", columns=["x"], url=url), "no column x"),
        (lambda url: marts.indicators(["x"], url=url), "no indicator x"),
        (lambda url: marts.labels("overdue", "unit", url=url), "no codes"),
    ],
)
def test_what_is_not_there_is_said(call: Callable[[str], object], words: str, url: str) -> None:
    with pytest.raises(LookupError, match=words):
        call(url)


def test_figures_come_with_their_words(url: str, town: Settings) -> None:
    trend = marts.indicators(["overdue", "compliance"], since=WORLD_DAY - timedelta(days=DAYS), url=url)
    assert len(trend) == 2 * DAYS and trend["title"].unique().tolist() == ["逾期人次", "应检尽检率"]
    assert trend["community"].isna().all() and trend["department"].isna().all()
    [(overdue,)] = support.query(
        town, "select sum(overdue) from reporting.compliance_daily where is_current and is_headline"
    )
    today = trend[trend["is_current"]]
    assert today[today["indicator_code"] == "overdue"]["value_shown"].tolist() == [overdue]
    by_department = marts.indicators(["overdue"], by="department", url=url)
    assert by_department["department"].notna().all() and by_department["community"].isna().all()
    one = marts.indicators(["overdue"], by="community", community=by_community(url), url=url)
    assert len(one) == 1


def by_community(url: str) -> str:
    return str(marts.read("dim_community", url=url)["community"].iloc[0])


def test_a_reader_s_own_login_reads_its_part(town: Settings, url: str) -> None:
    community = by_community(url)
    with warehouse.connect(town) as conn:
        password = access.grant(conn, "analyst", [Audience("community", community)], False, "tester", "测试")
    parsed = urlparse(url)
    own = parsed._replace(netloc=f"analyst:{password}@{parsed.hostname}:{parsed.port}").geturl()
    assert set(marts.read("compliance_daily", url=own)["community"]) == {community}
    figures = marts.indicators(by="town", url=own)
    assert "feeds" in set(figures["indicator_code"]) and "overdue" not in set(figures["indicator_code"])


def test_nothing_is_written_through_the_door(url: str) -> None:
    with marts._transaction(url) as conn, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        conn.execute("create temporary table x ()")


def test_a_mart_without_rows_has_its_types(url: str) -> None:
    empty = marts.read("overdue", community="没有这个社区", url=url)
    assert len(empty) == 0 and empty["due_date"].dtype == "datetime64[s]" and empty["status"].cat.ordered
