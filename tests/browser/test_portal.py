"""These tests open the portal in a real browser, through its own sign-in."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import ARTIFACTS, PHONE, needs_chromium
from tests.portal import ask_release, ask_sign_off

pytestmark = [needs_chromium, pytest.mark.slow]

SERIOUS = ("serious", "critical")


OWN = "一个足够长的密码 2022"


def log_in(page: Page, login: str, password: str) -> None:
    page.get_by_label("用户名").fill(login)
    page.get_by_label("密码", exact=True).fill(password)
    page.get_by_role("button", name="登录").click()


def test_an_official_signs_in_sets_a_password_and_opens_today_s_report(visit, portal):
    here = visit(size=PHONE)
    page = here.open("/lists/overdue?sort=-逾期天数")
    assert "/sign-in" in page.url
    here.picture("sign-in-phone")
    first = portal.invite("case-worker")
    log_in(page, "case-worker", first)
    expect(page.get_by_role("heading", level=1)).to_have_text("请设置您自己的密码")
    here.picture("password-phone")
    page.get_by_label("新密码", exact=True).fill(OWN)
    page.get_by_label("再输入一次新密码").fill(OWN)
    page.get_by_role("button", name="保存并登录").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("2022年7月20日（星期三）")
    assert "人工放行" in page.locator(".hero").inner_text()
    page.get_by_role("link", name="打开日报").first.click()
    report = page.frame_locator("iframe[title='日报正文']")
    expect(report.get_by_role("heading", name="北峰街道应检尽检日报")).to_be_visible()
    expect(report.get_by_role("heading", name="今日重点工作")).to_be_visible()
    with page.expect_download() as saved:
        page.get_by_role("link", name="下载 PDF").click()
    assert saved.value.suggested_filename == "应检尽检日报_街道_2022-07-20_p2.pdf"
    page.get_by_role("button", name="退出").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("登录")
    assert here.errors == []


def test_a_deep_link_asks_for_the_login_and_comes_back(visit, portal):
    here = visit()
    page = here.open("/password")
    log_in(page, "grid", portal.invite("grid"))
    page.get_by_label("新密码", exact=True).fill(OWN)
    page.get_by_label("再输入一次新密码").fill(OWN)
    page.get_by_role("button", name="保存并登录").click()
    page.get_by_role("button", name="退出").click()
    page = here.open("/lists/overdue?sort=-逾期天数")
    log_in(page, "grid", OWN)
    page.wait_for_url("**/lists/overdue**")
    assert unquote(page.url).endswith("?sort=-逾期天数")
    assert page.get_by_role("heading", level=1).inner_text() == "逾期未检"
    assert here.errors == []


def test_failures_bring_a_pause_in_either_language(visit, portal):
    here = visit(locale="en-GB")
    page = here.open("/")
    for _ in range(6):
        page.get_by_label("Login").fill("clerk")
        page.get_by_label("Password").fill("wrong")
        page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("Too many failures: try again in")
    here.picture("blocked")
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("登录")


def test_a_release_is_decided_on_a_phone(visit, portal):
    question = ask_release(portal)
    here = visit("director", PHONE)
    page = here.open("/")
    page.locator(f"a[href='/release/{question}']").click()
    expect(page.get_by_text("逾期名单与底册不一致")).to_be_visible()
    assert page.get_by_text("只是提示").count() == 0
    here.page.screenshot(path=ARTIFACTS / "portal-release-phone.png")
    for button in ("同意", "退回"):
        expect(page.get_by_role("button", name=button)).to_be_in_viewport()
    page.get_by_role("button", name="退回").click()
    expect(page.get_by_role("alert")).to_have_text("请写明理由。")
    assert [each["id"] for each in Axe().run(page).response["violations"] if each["impact"] in SERIOUS] == []
    page.get_by_label("理由").fill("等补报")
    page.get_by_role("button", name="退回").click()
    expect(page.get_by_role("status")).to_contain_text("已退回")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert portal.query(
        "select decided_by, is_released, reason from publishing.decision where question_id = %s", question
    ) == [("director", False, "等补报")]


def test_a_sign_off_needs_the_keyboard_alone(visit, portal):
    question = ask_sign_off(portal.settings)
    here = visit("director", PHONE)
    page = here.open(f"/sign-off/{question}")
    expect(page.get_by_role("heading", name="北峰街道疫情防控信息")).to_be_visible()
    assert [each["id"] for each in Axe().run(page).response["violations"] if each["impact"] in SERIOUS] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    here.page.screenshot(path=ARTIFACTS / "portal-sign-off-phone.png")
    here.picture("sign-off-whole")
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == "同意":
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("已同意")
    assert portal.query(
        "select decided_by, is_released, publication_id from publishing.decision where question_id = %s", question
    ) == [("director", True, 2)]
    assert here.errors == []


def test_the_overdue_list_is_filtered_and_searched_without_a_name_in_the_address(visit, portal):
    here = visit("case-worker")
    page = here.open("/lists/overdue")
    page.get_by_label("社区", exact=True).select_option(portal.own)
    page.get_by_role("button", name="应用").click()
    page.wait_for_url("**?*")
    assert set(page.locator("td[data-label='社区']").all_inner_texts()) == {portal.own}
    name = page.locator("tbody th").first.inner_text()
    page.get_by_label("查找", exact=True).fill(name)
    page.get_by_label("查找", exact=True).press("Enter")
    page.wait_for_url("**search=**")
    assert set(page.locator("tbody th").all_inner_texts()) == {name}
    assert set(page.locator("td[data-label='社区']").all_inner_texts()) == {portal.own}, "the filter stays"
    assert name not in unquote(page.url) and quote(name) not in page.url
    page.get_by_role("link", name="到期日").click()
    expect(page.locator("th[aria-sort='ascending']")).to_have_text("到期日▲")
    assert set(page.locator("tbody th").all_inner_texts()) == {name}, "the search stays"
    here.picture("overdue-search")
    page.get_by_role("link", name="清除条件").click()
    assert "search" not in page.url
    here.picture("overdue")
    with page.expect_download() as saved:
        page.get_by_role("button", name="导出 Excel").click()
    assert saved.value.suggested_filename == "逾期未检_街道_2022-07-20.xlsx"
    assert here.errors == []


def test_a_person_opens_after_a_reason_and_back_leads_to_the_list(visit, portal):
    here = visit("grid")
    page = here.open("/lists/overdue")
    name = page.locator("tbody th").first.inner_text()
    page.get_by_role("link", name=name).first.click()
    reason = page.get_by_label("查看理由")
    expect(reason).to_be_focused()
    assert name not in page.content()
    here.picture("reason")
    page.get_by_role("button", name="记录理由并查看").click()
    assert reason.evaluate("field => field.validity.valueMissing"), "the browser asks for it, too"
    reason.fill("督促补检，电话联系")
    page.get_by_role("button", name="记录理由并查看").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    expect(page.get_by_text("查看已记录。理由：督促补检，电话联系")).to_be_visible()
    assert page.locator(".timeline > li").count() > 1
    assert re.search(r"\d{6}\*{8}\d{3}[\dX]", page.locator(".identity").inner_text())
    here.picture("person")
    ((actor, reason_told),) = portal.query(
        "select actor, reason from audit.event where action = 'person_view' order by event_id desc limit 1"
    )
    assert (actor, reason_told) == ("grid", "督促补检，电话联系")
    assert here.errors == []


def test_a_role_that_may_not_is_refused(visit, portal):
    here = visit("clerk")
    page = here.open("/lists/overdue")
    expect(page.get_by_text("您的权限不含姓名")).to_be_visible()
    assert page.get_by_role("columnheader", name="姓名").count() == 0
    assert here.errors == []
    page = here.open(f"/persons/{portal.person_of(portal.own)}")
    expect(page.get_by_role("alert")).to_contain_text("您无权查看此人")
    here.picture("refused")
    # The browser itself tells of an answer that is none of the good ones; there is nothing else.
    assert here.errors == ["Failed to load resource: the server responded with a status of 403 (Forbidden)"]


def test_english_is_chosen_and_stays(visit):
    here = visit("case-worker")
    page = here.open("/lists/control")
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.get_by_role("heading", level=1)).to_have_text("Controls")
    assert page.locator("td.words").first.get_attribute("lang") == "zh-CN", "what stays Chinese is marked as it"
    page.get_by_role("link", name="Data quality").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Data quality")
    here.picture("english")
    page.get_by_role("button", name="中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    assert here.errors == []


def test_the_keyboard_alone_is_enough(visit, portal):
    here = visit("grid")
    page = here.open("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="跳到主要内容")).to_be_focused()
    here.page.screenshot(path=ARTIFACTS / "portal-focus.png")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null"), "the navigation is skipped"
    page = here.open("/")
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == "名单":
            break
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "the focus is seen"
    page.keyboard.press("Enter")
    page.wait_for_url("**/lists")
    page.get_by_role("link", name="逾期未检").focus()
    page.keyboard.press("Enter")
    page.get_by_label("查找", exact=True).focus()
    page.keyboard.type("社区")
    page.keyboard.press("Enter")
    page.wait_for_url("**search=**")
    page.locator("tbody a").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("查看理由")).to_be_focused()
    page.keyboard.type("督促补检，电话联系")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="时间轴")).to_be_visible()
    assert here.errors == []


PAGES = {
    "home": ("case-worker", "/"),
    "report": ("grid", "/reports/2"),
    "lists": ("grid", "/lists"),
    "list": ("case-worker", "/lists/due"),
    "list-nameless": ("director", "/lists/control"),
    "zones": ("director", "/zones"),
    "quality": ("case-worker", "/quality"),
    "rows": ("case-worker", "/quarantine"),
    "publications": ("director", "/publications"),
    "changes": ("director", "/publications/changes?before=1&after=2"),
    "operations": ("operator", "/operations"),
    "runbook": ("operator", "/documents/runbooks/daily"),
    "password": ("grid", "/password"),
    "data-docs": ("operator", "/documents/audit"),
}


@pytest.mark.parametrize("name", PAGES)
def test_each_page_is_quiet_accessible_and_fits_a_phone(visit, name):
    login, path = PAGES[name]
    here = visit(login)
    page = here.open(path)
    assert page.get_by_role("heading", level=1).count() == 1
    violations = Axe().run(page).response["violations"]
    assert [(each["id"], each["nodes"][0]["html"]) for each in violations if each["impact"] in SERIOUS] == []
    here.picture(name)
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    here.picture(f"{name}-phone")
    assert here.errors == []


def test_a_person_s_page_is_accessible_and_fits_a_phone(visit, portal):
    here = visit("grid", PHONE, "en-GB")
    page = here.open(f"/persons/{portal.person_of(portal.own)}")
    page.get_by_label("Reason").fill("Call about an overdue test")
    assert [each["id"] for each in Axe().run(page).response["violations"] if each["impact"] in SERIOUS] == []
    page.get_by_role("button", name="Record and open").click()
    expect(page.get_by_role("heading", name="Timeline")).to_be_visible()
    assert [each["id"] for each in Axe().run(page).response["violations"] if each["impact"] in SERIOUS] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    here.picture("person-phone")
    assert here.errors == []


def test_the_models_documentation_runs_without_the_session(visit):
    here = visit("operator")
    page = here.open("/documents/models")
    inner = page.frame_locator("iframe[title='文档正文']")
    expect(inner.get_by_role("heading", name="Welcome!")).to_be_visible()
    frame = page.frames[1]
    assert frame.evaluate("self.origin") == "null", "its scripts have no way to the portal"
    here.picture("models")


def test_a_thumb_hits_each_file_of_a_report(visit):
    here = visit("director", PHONE)
    page = here.open("/")
    heights = page.locator("td.links a, .own-password").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect().height)"
    )
    assert len(heights) > 2 and min(heights) >= 40
