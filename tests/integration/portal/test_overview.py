"""The map, the trends, the comparison and the wall display say what the report says, to each reader of the own part."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.portal import Portal
from tests.towns.month import published_month
from yingjian.database import warehouse
from yingjian.people.audience import OFFICE, Audience
from yingjian.portal import outlines
from yingjian.portal.overview import COMPARED_TRENDS, ON_SCREEN, SCREEN_TRENDS, TRENDS
from yingjian.reports.content.audiences import narrowed
from yingjian.reports.content.document import Document, Figure, Table
from yingjian.reports.content.report import read_document

TREND = re.compile(
    r"<figcaption><span>([^<]+)</span> <b>([^<]+)</b> <span[^>]*>([^<]+)</span></figcaption>\s*(?:<svg[^>]*id=|<svg|<p)"
)
KEY = re.compile(r'<div data-code="([^"]+)"><dt>([^<]+)</dt><dd><b[^>]*>([^<]+)</b> <span>([^<]+)</span></dd></div>')
ROW = re.compile(r'<tr data-code="([^"]+)"><th scope="row">([^<]+)</th>(.*?)</tr>')
CELL = re.compile(r"<b>([^<]+)</b> <small>([^<]+)</small>")
TILE = re.compile(
    r'<li class="tile shade(\d)">\s*<(?:a|span)[^>]*>([^<]+)</(?:a|span)>\s*<b[^>]*>([^<]+)</b>(.*?)</li>', re.S
)


@pytest.fixture(scope="module")
def month(portal: Portal) -> Iterator[int]:
    with published_month(portal) as number:
        yield number


@pytest.fixture(scope="module")
def clients(portal: Portal, month: int) -> Iterator[dict[str, httpx.Client]]:
    opened = {login: portal.client(login) for login in ("director", "health", "grid", "clerk")}
    yield opened
    for client in opened.values():
        client.close()


def page(client: httpx.Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return html.unescape(response.text)


def report_of(portal: Portal, number: int, audience: Audience) -> Document:
    with warehouse.connect(portal.settings, "reporter") as conn, narrowed(conn, audience):
        return read_document(conn, number, audience)


def blocks(document: Document) -> Iterator[object]:
    for chapter in document.chapters:
        for block in chapter.blocks:
            yield from block if isinstance(block, tuple) else (block,)


def daily(document: Document) -> dict[str, Figure]:
    return {each.title: each for each in blocks(document) if isinstance(each, Figure) and each.is_daily}


def audience_of(portal: Portal, login: str) -> Audience:
    return {
        "director": OFFICE,
        "health": Audience("department", portal.department),
        "grid": Audience("community", portal.own),
    }[login]


@pytest.mark.parametrize("login", ["director", "health", "grid"])
def test_the_trends_have_the_characters_of_the_report(portal, clients, month, login):
    reported = daily(report_of(portal, month, audience_of(portal, login)))
    shown = {title: (value, change) for title, value, change in TREND.findall(page(clients[login], "/trends"))}
    both = shown.keys() & reported.keys()
    assert len(both) >= 4
    for title in both:
        assert shown[title] == (reported[title].written, reported[title].change), title


def test_a_figure_that_a_part_has_no_share_in_is_not_drawn(clients):
    titles = {title for title, _, _ in TREND.findall(page(clients["health"], "/trends"))}
    assert "应检尽检率" in titles
    assert "中高风险区" not in titles, "zones are not of departments"


@pytest.mark.parametrize("login", ["director", "health", "grid"])
def test_the_wall_display_has_the_characters_of_the_report(portal, clients, month, login):
    document = report_of(portal, month, audience_of(portal, login))
    reported, tiles = daily(document), {tile.label: tile for tile in document.tiles}
    text = page(clients[login], "/screen")
    keys = {title: (value, change) for _, title, value, change in KEY.findall(text)}
    assert len(keys) >= 3
    for title in keys.keys() & reported.keys():
        assert keys[title] == (reported[title].written, reported[title].change)
    for title in ("逾期人数", "应检尽检率", "应检人次"):
        number, unit = [*keys[title][0].split(" "), ""][:2]
        assert (number, unit) == (tiles[title].written, tiles[title].unit)
    state = re.search(r'<p class="state[^"]*" lang="zh-CN"><b>(.)</b>([^<]+)</p>', text)
    assert state
    assert document.state.startswith(state[2])
    assert (state[1] == "急") == document.is_emergency
    assert "（" not in state[2].replace("（急）", "").replace("（平）", ""), "the reason names a case"


def test_the_wall_display_loads_itself_again_and_names_nobody(portal, clients):
    for login in clients:
        answer = clients[login].get("/screen")
        assert answer.headers["refresh"] == "300"
        names = portal.query("select distinct name, person_key from restricted.person where name <> ''")
        assert not {value for row in names for value in row if value in answer.text}
        assert not re.search(r"\d{11}", re.sub(r"v=[0-9a-f]+", "", answer.text))


def test_the_ranking_is_the_report_s_and_the_office_s_alone(portal, clients, month):
    text = page(clients["director"], "/trends")
    tables = [
        each for each in blocks(report_of(portal, month, OFFICE)) if isinstance(each, Table) and "排名" in each.title
    ]
    assert tables
    for table in tables:
        assert f'<caption lang="zh-CN">{table.title}</caption>' in text
        for row in table.listed:
            first, *others = table.written(row)
            assert f'<th scope="row">{first}</th>' + "".join(f"<td>{words}</td>" for words in others) in text
    for login in ("health", "grid"):
        assert "排名，末位在前" not in page(clients[login], "/trends")


def test_two_communities_are_compared_in_the_characters_of_their_own_reports(portal, clients, month):
    text = page(clients["director"], f"/compare?a={portal.own}&b={portal.other}")
    rows = {title: (CELL.findall(cells), cells) for _, title, cells in ROW.findall(text)}
    assert len(rows) > 20
    for place, name in enumerate((portal.own, portal.other)):
        reported = daily(report_of(portal, month, Audience("community", name)))
        both = rows.keys() & reported.keys()
        assert len(both) > 20
        for title in both:
            assert rows[title][0][place] == (reported[title].written, reported[title].change), title
    assert "缺报" not in "".join(rows), "a figure of the town alone is no community's"
    cells = rows["逾期人数"][1].split("</td>")
    values = [int(CELL.findall(each)[0][0].split()[0].replace(",", "")) for each in cells[:2]]
    assert ["较好" in each for each in cells[:2]] == [values[0] < values[1], values[1] < values[0]]


def test_a_part_compares_and_maps_only_what_it_reads(portal, clients):
    assert "不足两个社区" in page(clients["grid"], "/compare")
    for path in (
        f"/compare?a={portal.own}&b={portal.other}",
        f"/map?community={portal.other}",
        "/map?community=没有的社区",
    ):
        assert clients["grid"].get(path).status_code == 404
    assert portal.other not in page(clients["grid"], "/map")
    department = page(clients["health"], f"/compare?a={portal.own}&b={portal.other}")
    value = portal.query(
        "select part from published.indicator_daily where publication_id = 32 and indicator_code = 'overdue_persons'"
        " and community = %s and department = %s",
        portal.own,
        portal.department,
    )[0][0]
    cells = next(cells for _, title, cells in ROW.findall(department) if title == "逾期人数")
    assert CELL.findall(cells)[0][0] == f"{value:,} 人", "a department's figures of a community are those of its groups"


@pytest.mark.parametrize("code", ["zones", "overdue_persons", "compliance"])
def test_the_map_shows_each_community_with_its_figure_and_its_zones(portal, clients, month, code):
    text = page(clients["director"], f"/map?figure={code}")
    tiles = {name: (int(shade), value, rest) for shade, name, value, rest in TILE.findall(text)}
    values = dict(
        portal.query(
            "select coalesce(nullif(community, ''), '（未填）'), value_shown from published.indicator_daily"
            " where publication_id = 32 and indicator_code = %s and community is not null and department is null",
            code,
        )
    )
    assert tiles.keys() == values.keys()
    for name, value in values.items():
        written = "—" if value is None else f"{value * 100:.1f}%" if code == "compliance" else f"{int(value):,}"
        assert tiles[name][1].split(" ")[0] == written
        high = portal.query(
            "select count(*) from published.risk_zone where publication_id = 32 and level = '高' and %s = any(communities)",
            name,
        )[0][0]
        assert ('l1">高</span> ' + str(high) in tiles[name][2]) == (high > 0)
        if code == "zones":
            assert (tiles[name][0] == 3) == (high > 0)
    if code == "overdue_persons":
        worst = max(values, key=lambda name: values[name])
        assert tiles[worst][0] == 3
    table = text[text.index('id="map-table"') :]
    assert all(f'<th scope="row">{name}</th>' in table for name in values)


def test_a_community_s_reader_sees_the_grids_and_they_add_up(portal, clients):
    text = page(clients["clerk"], "/map")
    tiles = TILE.findall(text)
    grids = {
        grid
        for (grid,) in portal.query(
            "select grid from published.grid_population where publication_id = 32 and community = %s", portal.own
        )
    }
    assert {name for _, name, _, _ in tiles} >= grids - {""}
    items = portal.query(
        "select coalesce(sum(items), 0) from published.disposition_daily"
        " where publication_id = 32 and list = 'overdue' and community = %s",
        portal.own,
    )[0][0]
    figure = portal.query(
        "select part from published.indicator_daily where publication_id = 32 and indicator_code = 'overdue_items'"
        " and community = %s and department is null",
        portal.own,
    )[0][0]
    assert items == figure, "the grids add up to the community's figure"
    assert sum(int(value.split()[0].replace(",", "")) for _, _, value, _ in tiles) == items
    assert items > 0
    same = TILE.findall(page(clients["director"], f"/map?community={portal.own}"))
    assert same == tiles, "the office sees the same grids"
    assert "community=" not in page(clients["health"], "/map"), "a department reads no grids"


def test_outlines_are_drawn_and_a_bad_file_is_told(portal, clients):
    path = portal.settings.outlines
    square = [[[118.5, 24.9], [118.6, 24.9], [118.6, 25.0], [118.5, 25.0], [118.5, 24.9]]]
    other = [[[x + 0.1, y] for x, y in square[0]]]
    features = [
        {"type": "Feature", "properties": {"community": name}, "geometry": {"type": "Polygon", "coordinates": shape}}
        for name, shape in ((portal.own, square), (portal.other, other), ("别处", other))
    ]
    try:
        path.write_text(json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False))
        drawn = page(clients["director"], "/map")
        assert drawn.count("<path d=") == 2
        assert "别处" not in drawn
        assert f">{portal.own}</text>" in drawn
        assert "<path d=" not in page(clients["grid"], "/map"), "this file has no grids"
        assert portal.other not in page(clients["grid"], "/map")
        path.write_text('{"type": "FeatureCollection", "features": [{}]}')
        text = page(clients["director"], "/map")
        assert "边界文件不能使用" in text
        assert "第1个要素有误" in text
        assert TILE.findall(text)
        assert "feature 1 lacks the property community" in (outlines.fault(portal.settings) or "")
    finally:
        path.unlink(missing_ok=True)


def test_english_for_those_who_choose_it(portal, month):
    with portal.client("director") as client:
        client.headers["accept-language"] = "en"
        for path, words in (
            ("/map", "Coloured by"),
            ("/trends", "Ranking by compliance"),
            ("/compare", "better"),
            ("/screen", "Testing overview"),
        ):
            assert words in page(client, path)


def test_what_the_pages_name_are_figures():
    codes = {*TRENDS, *ON_SCREEN, *SCREEN_TRENDS, *COMPARED_TRENDS}
    seed = Path(__file__).parents[3] / "dbt_project/seeds/reference/indicator_definition.csv"
    known = {line.split(",")[0] for line in seed.read_text(encoding="utf-8").splitlines()[1:]}
    assert codes <= known
