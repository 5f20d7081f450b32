"""Every figure of indicator_daily is the one of a second reading, and the reports say it: for the office, each community, each department."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import psycopg
import pytest

from tests import figures, support
from tests.conftest import WORLD_DAY
from yingjian.database import warehouse
from yingjian.modelling.marts import published
from yingjian.people.audience import OFFICE, Audience
from yingjian.reports.content.audiences import audiences, narrowed
from yingjian.reports.content.document import Document, Figure, Text
from yingjian.reports.content.report import read_document
from yingjian.settings import Settings

COUNT = r"([\d,]+)"
# These figures stand in a sentence of the report: section and pattern. A sentence that is not there says 0.
TILES = (
    ("overdue_persons", "逾期人数", "^(\\d+)；"), ("overdue_items", "逾期人数", "共 (\\d+) 项"),
    ("required", "应检人次", "^(\\d+)；"), ("exempt", "应检人次", "豁免 (\\d+) 人次"),
    ("next_day_items", "次日应检", "^(\\d+)；"), ("next_day_persons", "次日应检", "· (\\d+) 人"),
    ("high_zones", "高 / 中风险区", "^(\\d+) /"), ("medium_zones", "高 / 中风险区", "/ (\\d+)；"),
    ("lowerable_zones", "可降级风险区", "^(\\d+)；"),
)  # fmt: skip
SAID = {
    "upcoming": ("forecast-7", f"未到期的应检项目共 {COUNT} 项"),
    "needs_review": ("forecast-7", f"待核实 {COUNT} 项"),
    "isolated": ("controls", f"隔离 {COUNT} 人，健康监测"),
    "monitored": ("controls", f"，健康监测 {COUNT} 人"),
    "releasable": ("controls", f"期满可解除 {COUNT} 人"),
    "released_early": ("controls", f"近7日提前解除 {COUNT} 人"),
    "new_cases": ("early", f"新增感染者 {COUNT} 例"),
    "new_contacts": ("early", f"新判定密接、次密接 {COUNT} 人"),
    "never_tested": ("early", f"从未检测 {COUNT} 人"),
    "never_tested_key": ("early", f"从未检测 [\\d,]+ 人，其中重点人员 {COUNT} 人"),
    "sampling_proposed": ("outbreak", f"次日建议抽检 {COUNT} 人"),
    "monitoring_short": ("monitoring", f"报告次数不足 {COUNT} 人"),
    "fevers": ("monitoring", f"发热或有症状 {COUNT} 人"),
    "vaccination_outstanding": ("vaccination", f"应接种未接种 {COUNT} 人"),
    "requests_open": ("provisions", f"未办结 {COUNT} 件"),
    "supplies_short": ("provisions", f"低于底线天数 {COUNT} 种"),
    "rooms_free": ("provisions", f"可用 {COUNT} 间"),
    "guests_overdue": ("provisions", f"超时未登记上报 {COUNT} 人"),
    "guests_listed": ("provisions", f"在管控名单中 {COUNT} 人"),
    "events_lacking": ("provisions", f"审批到期仍不全 {COUNT} 场"),
    "drills_overdue": ("provisions", f"到期未开展 {COUNT} 项"),
    "residents": ("population", f"常住 {COUNT} 人"),
    "floating": ("population", f"流动 {COUNT} 人"),
    "key_persons": ("population", f"重点人员 {COUNT} 人"),
    "signals_new": ("pharmacy", f"其中当日 {COUNT} 个"),
}


@pytest.fixture(scope="module")
def conn(world: Settings) -> Iterator[psycopg.Connection[Any]]:
    with warehouse.connect(world, "reporter") as connection:
        yield connection


@pytest.fixture(scope="module")
def publication(world: Settings) -> int:
    return int(support.query(world, "select publication_id from published.current")[0][0])


def code(key: str) -> str:
    return key.replace("-", "_")


def reported(conn: psycopg.Connection[Any], publication: int, audience: Audience) -> dict[str, float | None]:
    """The function gives what the report says to an audience, without the figures in which it has no part."""
    document = read_document(conn, publication, audience)
    daily = {
        code(figure.key): figure.today
        for chapter in document.chapters
        for figure in chapter.each(Figure)
        if figure.is_daily
    }
    return daily | dict(words_of(document))


def words_of(document: Document) -> Mapping[str, float]:
    """The function gives the figures of the report's tiles and sentences."""
    tiles = {tile.label: tile for tile in document.tiles}
    found: dict[str, float] = {}
    for name, label, pattern in TILES:
        if label in tiles:
            match = re.search(pattern, f"{tiles[label].value}；{tiles[label].note}".replace(",", ""))
            assert match, (label, tiles[label])
            found[name] = float(match[1])
    for name, (anchor, pattern) in SAID.items():
        for chapter in document.chapters:
            if chapter.anchor == anchor:
                match = re.search(pattern, "".join(block.words for block in chapter.each(Text)))
                found[name] = float(match[1].replace(",", "")) if match else 0
    return found


def daily(conn: psycopg.Connection[Any], publication: int) -> dict[tuple[str | None, str | None], dict[str, Any]]:
    """The function gives the figures of the mart by place."""
    found: dict[tuple[str | None, str | None], dict[str, Any]] = {}
    for community, department, name, value in conn.execute(
        "select community, department, indicator_code, value_shown from published.indicator_daily where publication_id = %s",
        [publication],
    ):
        found.setdefault((community, department), {})[name] = value
    return found


def test_every_figure_of_every_audience_is_a_second_reading_s_and_what_the_reports_say(
    conn: psycopg.Connection[Any], publication: int
) -> None:
    known = figures.definitions()
    assert figures.FIGURES.keys() == known.keys(), "each figure is read a second time"
    everyone = audiences(conn, publication)
    assert {audience.kind for audience in everyone} == {"office", "community", "department"} and len(everyone) > 10
    told, said, differing = set(), set(), []
    for audience in everyone:
        with narrowed(conn, audience):
            of_mart = daily(conn, publication)
            of_report = reported(conn, publication, audience)
            for name, words in known.items():
                is_divided = audience == OFFICE or words[f"by_{audience.kind}"] == "true"
                if not is_divided and words["by_community"] != words["by_department"]:
                    continue  # The audience has no part in it.
                value = of_mart[figures.of_place(audience) if is_divided else (None, None)][name]
                _, _, expected = figures.read(conn, publication, name)
                if value != pytest.approx(expected):
                    differing.append((audience.kind, name, value, expected))
                told.add(name)
                if name in of_report:
                    said.add(name)
                    if of_report[name] != value:
                        differing.append((audience.kind, name, value, of_report[name]))
    assert differing == []
    assert told == known.keys(), "each figure is compared"
    assert len(said) > 60, "what the reports do not say is the exception"


def test_nobody_reads_the_figures_of_another_part(conn: psycopg.Connection[Any], publication: int) -> None:
    """A figure of the town alone is everyone's: each of them is counted from marts that everyone reads."""
    known = figures.definitions()
    alone = {name for name, words in known.items() if words["by_community"] == words["by_department"] == "false"}
    assert {published()[figures.FIGURES[name][0]].rows for name in alone} == {"town"}
    for audience in (one for one in audiences(conn, publication) if one != OFFICE):
        with narrowed(conn, audience):
            seen = daily(conn, publication)
        community, department = figures.of_place(audience)
        assert seen.pop((None, None)).keys() == alone
        assert (
            {place[0] for place in seen} == {community} if community else {place[1] for place in seen} == {department}
        )


def test_a_department_in_cells_with_others_is_counted_whole(world: Settings) -> None:
    """Overdue by competent department comes from the bridge: nobody splits a cell again."""
    rows = support.query(
        world,
        """
        select department, part from reporting.indicator_daily
        where indicator_code = 'overdue' and community is null and department is not null and part > 0 and is_current
        """,
    )
    counted = support.query(
        world,
        f"""
        select name, sum(overdue) from reporting.compliance_daily
        cross join unnest(string_to_array(department, '、')) as names (name)
        where {figures.HEADLINE} group by name having sum(overdue) > 0
        """,
    )
    assert sorted(rows) == sorted(counted) and len(rows) > 3
    [(town,)] = support.query(
        world,
        "select part from reporting.indicator_daily where indicator_code = 'overdue' and community is null and department is null",
    )
    assert sum(part for _, part in rows) > town, "departments share groups, so they do not add up"


def test_history_says_what_is_current(world: Settings) -> None:
    for mart in published().values():
        if mart.is_history:
            assert support.query(world, f"select distinct as_of_date, is_current from reporting.{mart.name}") == [
                (WORLD_DAY, True)
            ], mart.name
    assert support.query(world, "select as_of_date, is_current from reporting.publication_history") == [
        (WORLD_DAY, True)
    ]
