"""These tests send files as a sender does in a real browser, on a phone and at a desk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import DESK, Visit, needs_chromium
from tests.browser.test_today import PHONE, SMALL, fits
from tests.integration.portal.test_sending import RIGHT, WRONG, file_of, row, waiting
from tests.portal import Portal, running_senders
from tests.support import empty_staging, land_folder, write_feed
from yingjian.portal.access import COOKIE
from yingjian.settings import Settings

pytestmark = [needs_chromium, pytest.mark.slow]
SIZES = [pytest.param(PHONE, id="phone"), pytest.param(DESK, id="desk", marks=pytest.mark.beyond)]


@pytest.fixture(scope="module")
def service(home_factory) -> Iterator[Portal]:
    with running_senders(home_factory("senders")) as portal:
        yield portal


@pytest.fixture
def visits(browser: Browser, service: Portal) -> Iterator[Callable[[str, Any], Visit]]:
    """Open a browser for each login that signs in."""
    empty_staging(service.settings)
    contexts: list[BrowserContext] = []

    def begin(login: str, size: Any) -> Visit:
        contexts.append(browser.new_context(viewport=size, locale="zh-CN", accept_downloads=True))
        contexts[-1].add_cookies([{"name": COOKIE, "value": service.token(login), "url": service.url}])
        return Visit(contexts[-1], service)

    yield begin
    for context in contexts:
        context.close()


@pytest.fixture
def lab(visits: Callable[[str, Any], Visit], request: pytest.FixtureRequest) -> Visit:
    return visits("lab-1", request.param)


def accessible(page: Page) -> bool:
    assert [(each["id"], each["nodes"][0]["html"]) for each in Axe().run(page).response["violations"]] == []
    assert page.evaluate(SMALL) == []
    return fits(page)


def choose(page: Page, content: bytes, name: str = "样本.csv") -> None:
    page.get_by_label("文件").set_input_files({"name": name, "mimeType": "text/csv", "buffer": content})


def the_clerk_looks(desk: Visit, size: str) -> None:
    there = desk.open("/quarantine")
    expect(there.locator("mark")).to_have_text(["2022-13-01", "弱阳性", WRONG])
    assert accessible(there)
    desk.picture(f"quarantine-{size}")
    with there.expect_download():
        there.get_by_role("button", name="导出").click()
    there.get_by_role("button", name="English").click()
    expect(there.get_by_role("heading", level=1)).to_have_text("Refused rows")
    assert accessible(there)
    assert desk.errors == []


@pytest.mark.parametrize("lab", SIZES, indirect=True)
def test_a_sender_sends_is_told_and_corrects(lab, visits, service, tmp_path):
    size = "phone" if lab.page.viewport_size == PHONE else "desk"
    (tmp_path / "inbox").mkdir()
    page = lab.open("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("报送")
    assert accessible(page)
    choose(page, file_of(tmp_path, row("G1"), row("G2")))
    page.get_by_role("button", name="报送", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("可入库 2 行，退回 0 行")

    choose(
        page,
        file_of(
            tmp_path,
            row("G3"),
            row("B1", 证件号码=WRONG),
            row("B2", 检测结果="弱阳性"),
            row("B3", 采样时间="2022-13-01 08:00:00"),
        ),
    )
    page.get_by_role("button", name="仅检查").click()
    expect(page.get_by_role("status")).to_contain_text("没有报送")
    expect(page.locator("mark")).to_have_text([WRONG, "弱阳性", "2022-13-01 08:00:00"])
    choose(
        page,
        file_of(
            tmp_path,
            row("G3"),
            row("B1", 证件号码=WRONG),
            row("B2", 检测结果="弱阳性"),
            row("B3", 采样时间="2022-13-01"),
        ),
    )
    page.get_by_role("button", name="报送", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("可入库 1 行，退回 3 行")
    assert accessible(page)
    lab.picture(f"sending-told-{size}")

    land_folder(service.settings, tmp_path / "inbox")
    page = lab.open("/sending")
    expect(page.locator(".refused > li")).to_have_count(3)
    assert accessible(page)
    lab.picture(f"sending-{size}")
    the_clerk_looks(visits("case-worker", lab.page.viewport_size), size)
    page.locator(".refused > li", has_text="B1").get_by_role("link", name="更正").click()
    cell = page.get_by_label("证件号码 *")
    expect(cell).to_have_value(WRONG)
    expect(cell).to_have_attribute("aria-invalid", "true")
    assert accessible(page)
    lab.picture(f"sending-correct-{size}")
    page.get_by_role("button", name="更正并报送").click()
    expect(page.locator("#again")).to_contain_text("身份证校验位错误")
    page.get_by_label("证件号码 *").fill(RIGHT)
    page.get_by_role("button", name="更正并报送").click()
    expect(page.get_by_role("status")).to_contain_text("更正已报送")
    expect(page.locator(".refused > li", has_text="B1")).to_contain_text("等待入库")
    land_folder(service.settings, tmp_path / "inbox")
    page = lab.open("/sending")
    expect(page.locator(".refused > li")).to_have_count(2)
    with page.expect_download() as download:
        page.get_by_role("button", name="下载").click()
    assert "退回" in download.value.suggested_filename
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sending")
    expect(page.get_by_role("heading", name="Rows to correct (2)")).to_be_visible()
    assert accessible(page)
    assert lab.errors == ["Failed to load resource: the server responded with a status of 422 (Unprocessable Entity)"]


def focus(page: Page, name: str, role: str = "button") -> None:
    """Press Tab until a button or link has the focus, which is reached by the keyboard alone."""
    wanted = page.get_by_role(role, name=name, exact=True)  # type: ignore[arg-type]
    for _ in range(120):
        page.keyboard.press("Tab")
        if wanted.first.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"the keyboard does not reach {name}")


def the_clerk_proposes(clerk: Visit, name: str) -> None:
    page = clerk.open("/quarantine")
    page.locator(".refused > li", has_text="B1").get_by_role("link", name="更正").click()
    expect(page.get_by_label("证件号码 *")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("证件号码 *").fill(RIGHT)
    page.get_by_role("button", name="提交他人确认").click()
    expect(page.get_by_role("alert")).to_contain_text("请写明理由")
    expect(page.get_by_label("证件号码 *")).to_have_value(RIGHT)
    assert accessible(page)
    clerk.picture(f"correction-form-{name}")
    page.get_by_label("更正理由").fill("已与检测机构电话核对证件")
    page.get_by_role("button", name="提交他人确认").click()
    expect(page.get_by_role("status")).to_contain_text("等待他人确认")
    expect(page.locator(".refused > li", has_text="B1").get_by_role("link", name="更正")).to_have_count(0)
    assert accessible(page)
    page.locator("section", has=page.locator("#waiting")).get_by_role("link").click()
    expect(page.get_by_role("status")).to_contain_text("须由另一名")
    expect(page.get_by_role("button", name="同意")).to_have_count(0)
    assert accessible(page)


def the_second_confirms(second: Visit, settings: Settings, name: str) -> None:
    page = second.open("/quarantine")
    focus(page, f"查看 第1检测机构 {waiting(settings)}", "link")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("更正确认")
    assert accessible(page)
    second.picture(f"correction-confirm-{name}")
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Confirm a correction")
    assert accessible(page)
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("更正确认")
    focus(page, "同意")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("质控组")
    assert accessible(page)


def one_is_returned(second: Visit, clerk: Visit, settings: Settings) -> None:
    page = second.open("/quarantine")
    page.locator(".refused > li", has_text="B2").get_by_role("link", name="更正").click()
    page.get_by_label("检测结果 *").select_option("阴性")
    page.get_by_label("更正理由").fill("检测机构来电")
    page.get_by_role("button", name="提交他人确认").click()
    page = clerk.open(f"/quarantine/corrections/{waiting(settings)}")
    page.get_by_role("button", name="退回").click()
    expect(page.get_by_role("alert")).to_contain_text("请写明理由")
    page.get_by_label("意见").fill("请检测机构书面说明")
    page.get_by_role("button", name="退回").click()
    expect(page.get_by_role("status")).to_contain_text("请检测机构书面说明")


@pytest.mark.parametrize("size", SIZES)
def test_an_official_corrects_and_a_second_one_confirms_by_keyboard(size, visits, service, tmp_path):
    name = "phone" if size == PHONE else "desk"
    inbox = tmp_path / "inbox"
    (inbox / "test_results").mkdir(parents=True)
    write_feed(inbox, "test_results", [row("G1"), row("B1", 证件号码=WRONG), row("B2", 检测结果="弱阳性")], "one.csv")
    land_folder(service.settings, inbox)
    clerk, second, lab = visits("case-worker", size), visits("second", size), visits("lab-1", size)

    the_clerk_proposes(clerk, name)
    the_second_confirms(second, service.settings, name)
    page = lab.open("/sending")
    expect(page.locator(".refused > li", has_text="B1")).to_contain_text("已由管理部门更正")
    assert accessible(page)
    land_folder(service.settings, inbox)
    page = lab.open("/sending")
    expect(page.locator("section", has=page.locator("#files"))).to_contain_text("（管理部门更正）")
    lab.picture(f"correction-sender-{name}")

    one_is_returned(second, clerk, service.settings)
    page = clerk.open("/quarantine")
    expect(page.locator("section", has=page.locator("#confirmed"))).to_contain_text("已入库")
    expect(page.locator("section", has=page.locator("#returned"))).to_contain_text("请检测机构书面说明")
    assert accessible(page)
    clerk.picture(f"correction-desk-{name}")
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", name="Corrected by the office in 30 days")).to_be_visible()
    assert accessible(page)
    assert {error for visit in (clerk, second, lab) for error in visit.errors} <= {
        "Failed to load resource: the server responded with a status of 422 (Unprocessable Entity)"
    }
