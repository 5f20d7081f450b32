"""These tests open the map, the trends, the comparison and the wall display in a real browser, with a month of figures."""

from __future__ import annotations

import json
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Route, expect

from tests.browser.conftest import DESK, needs_chromium
from tests.towns.month import published_month

pytestmark = [needs_chromium, pytest.mark.slow]

PHONE = {"width": 390, "height": 844}
WALL = {"width": 1920, "height": 1080}


@pytest.fixture(scope="module", autouse=True)
def month(portal):
    with published_month(portal) as number:
        yield number


def fits(page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def violations(page) -> list[tuple[str, str]]:
    return [(each["id"], each["nodes"][0]["html"]) for each in Axe().run(page).response["violations"]]


@pytest.mark.parametrize("size", [PHONE, DESK, WALL], ids=["phone", "desk", "wall"])
@pytest.mark.parametrize("path", ["/map", "/map?figure=compliance", "/trends", "/compare", "/screen"])
def test_the_pages_are_accessible_and_fit(visit, size, path):
    here = visit("director", size)
    page = here.open(path)
    assert page.get_by_role("heading", level=1).count() == 1
    assert violations(page) == []
    assert fits(page)
    assert here.errors == []
    here.picture(f"overview-{size['width']}{re.sub(r'[^a-z]', '-', path)}")


@pytest.mark.parametrize("path", ["/map", "/trends", "/compare", "/screen"])
def test_a_community_s_pages_are_accessible_on_the_phone(visit, path):
    here = visit("grid", PHONE)
    page = here.open(path)
    assert violations(page) == []
    assert fits(page)
    here.picture(f"overview-own{path.replace('/', '-')}")


def test_the_wall_display_holds_everything_on_one_screen_in_large_type(visit):
    here = visit("director", WALL)
    page = here.open("/screen")
    assert page.evaluate("document.documentElement.scrollHeight") <= WALL["height"]
    small = page.evaluate(
        """() => [...document.querySelectorAll("main *")]
            .filter((each) => [...each.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()))
            .filter((each) => !each.closest("svg") && parseFloat(getComputedStyle(each).fontSize) < 18)
            .map((each) => each.outerHTML.slice(0, 90))"""
    )
    assert small == []


def test_the_wall_display_loads_itself_again_without_a_script(visit):
    here = visit("director", WALL, has_scripts=False)

    def sooner(route: Route) -> None:
        response = route.fetch()
        assert response.headers["refresh"] == "300"
        route.fulfill(response=response, headers=response.headers | {"refresh": "1"})

    here.page.route("**/screen", sooner)
    page = here.open("/screen")
    with page.expect_navigation(timeout=10_000):
        pass
    expect(page.get_by_role("heading", level=1)).to_contain_text("应检尽检态势")


def test_the_map_is_walked_by_keyboard_down_to_the_grids(visit, portal):
    here = visit("director", DESK, has_scripts=False)
    page = here.open("/map")
    page.get_by_role("link", name=portal.own).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=2, name=portal.own)).to_be_visible()
    assert page.locator(".tilemap .tile").count() > 0
    page.get_by_role("link", name="全部社区").click()
    page.get_by_label("按哪项指标着色").select_option("compliance")
    page.get_by_role("button", name="显示").click()
    expect(page.locator("#map")).to_have_text("应检尽检率")
    assert "%" in page.locator(".tilemap b").first.inner_text()


def test_outlines_are_drawn_with_names_and_numbers(visit, portal):
    features = []
    for place, name in enumerate((portal.own, portal.other)):
        west = 118.5 + 0.1 * place
        ring = [[west, 24.9], [west + 0.1, 24.9], [west + 0.12, 24.97], [west + 0.1, 25.0], [west, 25.0], [west, 24.9]]
        features.append({"properties": {"community": name}, "geometry": {"type": "Polygon", "coordinates": [ring]}})
    path = portal.settings.outlines
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False))
    try:
        here = visit("director", DESK)
        page = here.open("/map")
        expect(page.locator("svg.outlines text", has_text=portal.own)).to_be_visible()
        assert violations(page) == []
        here.picture("overview-outlines")
        page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        assert fits(page)
    finally:
        path.unlink()


@pytest.mark.parametrize(
    ("path", "heading"),
    [
        ("/map", "Map"),
        ("/trends", "Trends and ranking"),
        ("/compare", "Compare communities"),
        ("/screen", "Testing overview"),
    ],
)
def test_the_language_is_switched_on_each_page(visit, path, heading):
    here = visit("director", DESK)
    page = here.open(path)
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(heading)
    assert page.url.endswith(path)
    assert violations(page) == []
    page.get_by_role("button", name="中文").click()
    assert page.locator("html").get_attribute("lang") == "zh-CN"
