"""A real browser for the tests of pages; pictures go to test-artifacts/."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.portal import Portal
from yingjian.portal.access import COOKIE

ARTIFACTS = Path(__file__).parents[2] / "test-artifacts"
CHROMIUM = os.environ.get("YINGJIAN_CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"))), None
)
PHONE = {"width": 375, "height": 740}
DESK = {"width": 1280, "height": 800}
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium found: apt-get install chromium fonts-noto-cjk, or set YINGJIAN_CHROMIUM"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    ARTIFACTS.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


class Visit:
    """A browser of one user, and what its console said meanwhile."""

    def __init__(self, context: BrowserContext, portal: Portal) -> None:
        self.context = context
        self.portal = portal
        self.page = context.new_page()
        self.errors: list[str] = []
        self.page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def open(self, path: str) -> Page:
        self.page.goto(f"{self.portal.url}{path}", wait_until="load")
        return self.page

    def picture(self, name: str) -> None:
        self.page.screenshot(path=ARTIFACTS / f"portal-{name}.png", full_page=True)


@pytest.fixture
def visit(browser: Browser, portal: Portal) -> Iterator[Callable[..., Visit]]:
    """Opens a browser: `visit("grid")` is signed in already, `visit()` is not."""
    contexts: list[BrowserContext] = []

    def begin(
        login: str | None = None, size: dict[str, int] = DESK, locale: str = "zh-CN", has_scripts: bool = True
    ) -> Visit:
        context = browser.new_context(
            viewport=size,  # type: ignore[arg-type]
            locale=locale,
            accept_downloads=True,
            java_script_enabled=has_scripts,
        )
        contexts.append(context)
        if login:
            context.add_cookies([{"name": COOKIE, "value": portal.token(login), "url": portal.url}])
        return Visit(context, portal)

    yield begin
    for context in contexts:
        context.close()
