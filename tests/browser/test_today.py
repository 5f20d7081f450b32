"""These tests go through a morning with today's list in a real browser, on a phone and at a desk."""

from __future__ import annotations

import io
import re

import pypdf
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Error, expect

from tests.browser.conftest import ARTIFACTS, DESK, needs_chromium
from yingjian.database import warehouse

pytestmark = [needs_chromium, pytest.mark.slow]

PHONE = {"width": 390, "height": 844}
# A page at 160 % has so much less room.
ZOOMED = {"width": int(390 / 1.6), "height": 527}
SMALL = """
    () => [...document.querySelectorAll("a, button, input, select, summary, label.tick")]
        .filter((each) => each.type !== "hidden" && each.offsetParent && !each.closest(".skip") && !each.closest("p.soft"))
        .map((each) => [each.outerHTML.slice(0, 80), each.getBoundingClientRect()])
        .filter(([, box]) => box.width && (box.width < 24 || box.height < 24)).map(([html]) => html)
"""


@pytest.fixture(autouse=True)
def clean(portal):
    yield
    with warehouse.connect(portal.settings) as conn:
        conn.execute("delete from portal.disposition")


def fits(page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.mark.parametrize("size", [PHONE, ZOOMED, DESK], ids=["phone", "zoomed", "desk"])
@pytest.mark.parametrize("path", ["/today", "/today?state=late&answer=none", "/today/handout"])
def test_the_pages_are_accessible_and_fit(visit, size, path):
    here = visit("grid", size)
    page = here.open(path)
    for summary in page.locator("summary").all():
        summary.click()
    assert [(each["id"], each["nodes"][0]["html"]) for each in Axe().run(page).response["violations"]] == []
    assert fits(page)
    assert page.evaluate(SMALL) == []
    assert here.errors == []
    here.picture(f"today-{size['width']}{re.sub(r'[^a-z]', '-', path)}")


def test_a_morning_on_the_phone(visit, portal):
    here = visit("grid", PHONE)
    page = here.open("/")
    page.get_by_role("link", name="今日名单").click()
    card = page.locator(".someone").first
    expect(card.locator("a[href^='tel:']")).to_have_attribute("href", re.compile(r"tel:\d{11}"))
    name = card.locator("h2").inner_text()
    card.locator("summary").click()
    card.get_by_label("备注").fill("下午三点来")
    card.get_by_role("button", name="约定时间").click()
    card = page.locator(".someone").first
    expect(card.locator("h2")).to_have_text(name)
    expect(card.locator(".answered").first).to_contain_text("约定时间")
    expect(card.locator(".answered").first).to_contain_text("下午三点来")
    expect(card.locator("summary")).to_contain_text("更改处置")
    assert page.url.endswith("#p1")
    expect(page.locator(".saved")).to_have_text("已保存：约定时间")
    expect(page.locator(".saved")).to_be_in_viewport()
    page.locator("summary", has_text="筛选").click()
    page.get_by_label("处置", exact=True).select_option("未处置")
    page.get_by_role("button", name="应用").click()
    assert name not in page.locator(".someone h2").all_inner_texts()
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Today's list")
    assert "answer=none" in page.url
    assert here.errors == []


def test_the_keyboard_is_enough_and_no_script_is_needed(visit, portal):
    page = visit("grid", DESK, has_scripts=False).open("/today")
    card = page.locator(".someone").nth(1)
    card.locator("summary").focus()
    page.keyboard.press("Enter")
    button = card.get_by_role("button", name="联系不上")
    for _ in range(20):
        page.keyboard.press("Tab")
        if button.evaluate("each => each.matches(':focus')"):
            break
    page.keyboard.press("Enter")
    expect(page.locator(".someone").nth(1).locator(".answered").first).to_contain_text("联系不上")


def test_what_was_filled_in_survives_the_end_of_the_session(visit, portal):
    here = visit("grid", PHONE)
    page = here.open("/today")
    card = page.locator(".someone").first
    card.locator("summary").click()
    card.get_by_label("备注").fill("不开门")
    here.context.clear_cookies()
    card.get_by_role("button", name="拒绝").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("登录")
    here.context.add_cookies([{"name": "yingjian_session", "value": portal.token("grid"), "url": portal.url}])
    page = here.open("/today")
    card = page.locator(".someone").first
    expect(card.get_by_role("alert")).to_contain_text("“拒绝”还没有保存")
    expect(card.get_by_label("备注")).to_have_value("不开门")
    card.get_by_role("button", name="拒绝").click()
    expect(page.locator(".someone").first.locator(".answered").first).to_contain_text("不开门")


def test_the_hand_out_fits_paper(visit):
    here = visit("case-worker")
    page = here.open("/today/handout")
    grids = page.locator(".handout").count()
    pages = pypdf.PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True))).pages
    assert len(pages) == grids, "each grid has one sheet of paper"
    assert all(round(each.mediabox.width) == 595 for each in pages)
    # A grid with many persons takes few pages: many persons stand on each.
    page.evaluate(
        """() => {
            const body = document.querySelector(".handout tbody");
            document.querySelectorAll(".handout:not(:first-of-type)").forEach((each) => each.remove());
            const row = body.rows[0];
            while (body.rows.length < 100) body.append(row.cloneNode(true));
        }"""
    )
    pages = pypdf.PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True))).pages
    assert 2 <= len(pages) <= 5
    assert all("姓名" in each.extract_text() for each in pages), "the header stands on each page"


def test_the_list_is_readable_without_a_network_until_the_sign_out(visit):
    here = visit("grid", PHONE)
    page = here.open("/today")
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.wait_for_function("caches.open('today').then((cache) => cache.keys()).then((keys) => keys.length > 0)")
    assert page.evaluate("document.querySelector('link[rel=manifest]').href").split("?")[0].endswith(".webmanifest")
    name = page.locator(".someone h2").first.inner_text()
    here.context.set_offline(True)
    page = here.open("/today")
    expect(page.locator(".someone h2").first).to_have_text(name)
    expect(page.locator(".offline")).to_be_visible()
    page.screenshot(path=ARTIFACTS / "portal-today-offline.png")
    # After the session's end the worker shows nothing and forgets.
    page.evaluate(
        """async () => {
            const cache = await caches.open("today");
            for (const key of await cache.keys()) {
                const page = await cache.match(key);
                await cache.put(key, new Response(await page.text(), { headers: { "x-until": "1" } }));
            }
        }"""
    )
    with pytest.raises(Error):
        here.open("/today")
    here.context.set_offline(False)
    page = here.open("/today")
    page.wait_for_function("caches.open('today').then((cache) => cache.keys()).then((keys) => keys.length > 0)")
    page.get_by_role("button", name="退出").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("登录")
    page.wait_for_function("caches.has('today').then((has) => !has)")
    here.context.set_offline(True)
    with pytest.raises(Error):
        here.open("/today")


def test_a_grid_worker_s_round(visit, portal):
    """Sign in, the own list at once, a call, an answer, and the sheet for paper."""
    first = portal.invite("grid-worker")
    here = visit(size=PHONE)
    page = here.open("/today")
    page.get_by_label("用户名").fill("grid-worker")
    page.get_by_label("密码", exact=True).fill(first)
    page.get_by_role("button", name="登录").click()
    page.get_by_label("新密码", exact=True).fill("网格员自己的长密码2022")
    page.get_by_label("再输入一次新密码").fill("网格员自己的长密码2022")
    page.locator("main form button.primary").click()
    page = here.open("/today")
    expect(page.get_by_role("heading", level=1)).to_have_text("今日名单")
    expect(page.locator("header .part")).to_have_text(f"{portal.own} {portal.own_grid}")
    expect(page.locator("#f-grid")).to_have_count(0)
    places = page.locator(".someone > p.soft").all_inner_texts()
    assert places and all(place.startswith(f"{portal.own} {portal.own_grid}") for place in places)
    card = page.locator(".someone").first
    expect(card.locator("a[href^='tel:']")).to_have_attribute("href", re.compile(r"tel:\d{11}"))
    assert Axe().run(page).response["violations"] == []
    assert fits(page) and page.evaluate(SMALL) == []
    here.picture("grid-worker-today")
    card.locator("summary").click()
    card.get_by_role("button", name="已通知").click()
    expect(page.locator(".someone").first.locator(".answered").first).to_contain_text("已通知")
    page.get_by_role("link", name="打印清单").click()
    expect(page.locator(".handout")).to_have_count(1)
    assert Axe().run(page).response["violations"] == []
    sheets = pypdf.PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True))).pages
    assert len(sheets) == 1, "a grid's hand-out is one sheet of paper"
    page = here.open("/")
    assert Axe().run(page).response["violations"] == []
    assert page.locator("nav a[href$='/map']").count() == 0
    page.goto(f"{portal.url}/map")
    expect(page.get_by_role("heading", level=1)).to_have_text("无权查看")
    assert [error for error in here.errors if "403" not in error] == []
