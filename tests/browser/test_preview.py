"""These tests open the preview of messages in a real browser, on the phone and on a desk."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import DESK, needs_chromium
from tests.browser.test_overview import PHONE, fits, violations

pytestmark = [needs_chromium, pytest.mark.slow]


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("login", ["director", "grid"])
def test_the_preview_is_accessible_and_fits(visit, size, login):
    here = visit(login, size)
    page = here.open("/")
    page.get_by_role("link", name="发送预览").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("发送预览")
    mail = page.frame_locator("iframe[title^='邮件正文']").first
    expect(mail.get_by_text("今日重点工作")).to_be_visible()
    assert violations(page) == []
    assert fits(page)
    assert here.errors == []
    here.picture(f"preview-{login}-{size['width']}")


def test_the_office_chooses_a_part_by_keyboard_without_a_script(visit, portal):
    here = visit("director", PHONE, has_scripts=False)
    page = here.open("/delivery/preview")
    page.get_by_label("接收范围").select_option(f"community:{portal.own}")
    page.get_by_role("button", name="显示").focus()
    page.keyboard.press("Enter")
    expect(page.locator("section.preview")).to_have_count(2)
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Messages before they are sent")


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_a_reader_chooses_what_to_be_told(visit, portal, size):
    here = visit("grid", size)
    page = here.open("/")
    page.get_by_role("link", name="我的通知").click()
    group = page.get_by_role("group", name="限时提醒")
    group.get_by_label("邮件").check()
    page.get_by_label("提前几小时提醒").select_option("3")
    page.get_by_label("起", exact=True).fill("21:30")
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_role("status")).to_have_text("已保存。")
    expect(page.get_by_role("group", name="限时提醒").get_by_label("邮件")).to_be_checked()
    expect(page.get_by_label("起", exact=True)).to_have_value("21:30")
    assert violations(page) == []
    assert fits(page)
    assert here.errors == []
    here.picture(f"notifications-{size['width']}")
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("My notifications")
