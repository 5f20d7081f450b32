"""The report in a real browser: on a phone, on a desk, on paper. Pictures go to test-artifacts/."""

import re
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import ARTIFACTS, needs_chromium
from tests.towns import town
from yingjian.reports.packs import write_report

pytestmark = [needs_chromium, pytest.mark.slow]


@pytest.fixture(scope="module")
def reports(town_database: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A usual report, one released by hand, and one of a first day without zones."""
    out = tmp_path_factory.mktemp("reports")
    by_hand = {"quality_status": "released_by_hand", "release_reason": "名册晚到，已核对", "released_by": "值班长"}
    with psycopg.connect(town_database) as conn:
        town.publish(conn, 13, town.LAST_DAY, **by_hand)
        town.publish(conn, 14, town.LAST_DAY.replace(month=6))
        written = {
            "usual": write_report(conn, 12, out),
            "by-hand": write_report(conn, 13, out),
            "first-day": write_report(conn, 14, out),
        }
        conn.rollback()  # the town is everybody's
    return written


def opened(browser: Browser, path: Path, width: int) -> tuple[Page, list[str], list[str]]:
    """The page, what its console said, and every request besides the page itself."""
    page = browser.new_page(viewport={"width": width, "height": 800})
    messages: list[str] = []
    requested: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on("request", lambda request: requested.append(request.url))
    page.goto(path.as_uri(), wait_until="load")
    return page, messages, [url for url in requested if url != path.as_uri() and not url.startswith("data:")]


def unfold(page: Page) -> None:
    """Open what the page has folded, as a reader does."""
    page.eval_on_selector_all("details", "all => all.forEach(one => { one.open = true })")


def test_it_is_read_in_a_few_screens_of_a_phone(browser, reports):
    page, _, _ = opened(browser, reports["usual"], 390)
    assert page.evaluate("document.documentElement.scrollHeight") <= 12 * 844
    assert page.locator("#today li:visible").count() == 5
    page.locator("#today summary").click()
    assert page.locator("#today li:visible").count() > 20
    page.close()


def test_a_link_of_the_contents_opens_its_chapter_and_the_contents_stay(browser, reports):
    page, _, _ = opened(browser, reports["usual"], 390)
    assert not page.get_by_text("按主管部门").first.is_visible()
    page.locator("#overdue summary").first.click()
    assert page.get_by_text("按主管部门").first.is_visible()
    page.locator("#definitions").scroll_into_view_if_needed()
    assert page.get_by_role("navigation").bounding_box()["y"] >= -1
    page.close()


@pytest.mark.parametrize("width", [375, 1280])
def test_targets_are_large_enough_for_a_finger(browser, reports, width):
    page, _, _ = opened(browser, reports["usual"], width)
    unfold(page)
    low = page.eval_on_selector_all(
        "a, summary",
        """all => all.map(one => [one.textContent.trim(), one.getBoundingClientRect().height])
            .filter(([words, height]) => height > 0 && height < 24)""",
    )
    assert low == []
    page.close()


def test_at_160_percent_nothing_scrolls_sideways(browser, reports):
    page, _, _ = opened(browser, reports["usual"], 390)
    unfold(page)
    page.add_style_tag(content="html { font-size: 160%; } body { font-size: 1rem; }")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.close()


@pytest.mark.parametrize("width", [375, 768, 1280])
@pytest.mark.parametrize("name", ["usual", "by-hand", "first-day"])
def test_the_page_fits_and_is_quiet(browser, reports, name, width):
    page, messages, requested = opened(browser, reports[name], width)
    page.screenshot(path=ARTIFACTS / f"report-{name}-{width}.png", full_page=True)
    assert messages == []
    assert requested == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_an_official_sees_the_day_on_the_first_screens_of_a_phone(browser, reports):
    page, _, _ = opened(browser, reports["usual"], 375)
    for words in (
        "北峰街道应检尽检日报",
        "急",
        "疫情概况",
        "逾期人数",
        "应检尽检率",
        "应检人次",
        "次日应检",
        "可降级风险区",
    ):
        box = page.get_by_text(words, exact=False).first.bounding_box()
        assert box is not None
        assert box["y"] < 800, words
    assert page.locator("#today").bounding_box()["y"] < 1.2 * 800
    for heading in (
        "较前日变差指标及原因",
        "今日重点工作",
        "数据说明",
        "逾期未检",
        "未来7日到期",
        "风险区",
        "数据质量",
        "口径与依据",
    ):
        assert page.get_by_role("heading", name=heading).first.is_visible()
    page.close()


def test_charts_have_names_and_their_text_is_legible_on_a_phone(browser, reports):
    page, _, _ = opened(browser, reports["usual"], 375)
    unfold(page)
    for name in ("近14日应检尽检率", "近14日逾期人次", "近14日超过8小时未隔离", "按逾期天数", "未来7日到期检测"):
        assert page.get_by_role("img", name=name).is_visible()
    heights = page.eval_on_selector_all(
        ".chart text", "texts => texts.map(text => text.getBoundingClientRect().height)"
    )
    assert min(heights) >= 9
    page.close()


def test_the_reading_of_five_minutes_comes_in_its_order(browser, reports):
    page, _, _ = opened(browser, reports["usual"], 1280)
    order = ("#state", "#outbreak-now", "#today", "#worse", "#data", "#overdue")
    places = [page.locator(anchor).bounding_box()["y"] for anchor in order]
    assert places == sorted(places)
    assert page.locator("#worse").get_by_text("新增").first.is_visible()
    assert page.locator("#today").get_by_text("责任单位：").count() == page.locator("#today li").count()
    page.close()


def test_charts_do_not_need_colour(browser, reports):
    """In grey, the day of the report still differs from the days before: solid against hatched, filled against open."""
    page, _, _ = opened(browser, reports["usual"], 375)
    unfold(page)
    page.add_style_tag(content="html { filter: grayscale(1); }")
    chart = page.get_by_role("img", name="近14日逾期人次")
    chart.screenshot(path=ARTIFACTS / "chart-grey.png")
    assert chart.locator("rect.solid").count() == 1
    assert chart.locator("rect.hatched").count() > 5
    for tone, sign in (("bad", "▲▼"), ("good", "▲▼")):
        for words in page.locator(f".moved.{tone}").all_inner_texts():
            assert words[0] in sign, "the direction stands beside the colour"
    page.close()


def test_the_wide_tables_need_no_scrolling_on_a_phone(browser, reports):
    page, _, _ = opened(browser, reports["usual"], 375)
    unfold(page)
    hidden = page.eval_on_selector_all(".scroll", "boxes => boxes.map(box => box.scrollWidth - box.clientWidth)")
    assert max(hidden) <= 0
    page.close()


def test_a_release_by_hand_is_told_first(browser, reports):
    page, _, _ = opened(browser, reports["by-hand"], 375)
    assert page.get_by_text("名册晚到，已核对").first.is_visible()
    assert page.get_by_text("放行人：值班长").first.is_visible()
    unfold(page)
    assert page.locator("#quality").get_by_text("重点人群名册比前一日少 31%").is_visible()
    page.close()


def test_it_prints_on_a_few_pages_of_a4(browser, reports):
    page, _, _ = opened(browser, reports["usual"], 1280)
    page.emulate_media(media="print")
    assert page.locator("#overdue table").first.is_visible(), "paper has what the screen folds"
    assert not page.get_by_role("navigation").is_visible()
    pdf = page.pdf(path=ARTIFACTS / "report-usual.pdf", prefer_css_page_size=True)
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 15
    page.close()
