"""Pages in Chromium: the test is skipped without it, and fails if a page complains or asks for what it may not."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

__all__ = ["MARKS", "chromium", "page_opener", "playwright"]

playwright = pytest.importorskip("playwright.sync_api", reason="needs the extra interop (playwright)")
_CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MARKS = [
    pytest.mark.interop,
    pytest.mark.skipif(_CHROMIUM is None, reason="there is no Chromium; apt install chromium"),
]
"""Marks of a module whose tests open pages."""


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser."""
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def page_opener(browser: Any, may_ask: Callable[[str, str], bool]) -> Iterator[Callable[..., Any]]:
    """A function that opens an address, width in pixels 1400, scheme light; at the end it closes the pages.

    Raises `AssertionError` at the end if a page wrote to the console, or asked for an address for which `may_ask`, of it and of
    that of the page, is false.
    """
    complaints: list[str] = []
    pages: list[Any] = []

    def open_page(address: str, width: int = 1400, scheme: str = "light") -> Any:
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        pages.append(page)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: may_ask(request.url, address) or complaints.append(request.url))
        page.goto(address)
        return page

    yield open_page
    for page in pages:
        if not page.is_closed():
            page.close()
    assert not complaints
