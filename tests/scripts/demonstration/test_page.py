"""The page in Chromium: drawn with the mouse and with the keyboard, at three widths, and without scrolling sideways."""

import re

import pytest
from support.browser import MARKS, chromium, page_opener, playwright
from support.drawn_digits import DIGITS, demonstration

from softstream.boards.link.protocol import Frame, Type, encode

expect = playwright.expect
pytestmark = MARKS


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def opened(browser):
    """Opens a page; the test fails if it writes to the console or asks another host."""
    with page_opener(browser, lambda url, address: url.startswith((address, "data:,"))) as open_page:
        yield open_page


def draw(page, strokes):
    box = page.locator("#pad").bounding_box()

    def place(point):
        return box["x"] + point[0] * box["width"], box["y"] + point[1] * box["height"]

    for stroke in strokes:
        page.mouse.move(*place(stroke[0]))
        page.mouse.down()
        for point in stroke[1:]:
            page.mouse.move(*place(point), steps=3)
        page.mouse.up()


@pytest.mark.parametrize("width", [400, 800, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_drawn_digit_is_named(opened, width, scheme):
    digit, strokes = DIGITS[5]
    with demonstration() as address:
        page = opened(address, width, scheme)
        expect(page.locator("#board")).to_have_text("a board")
        draw(page, strokes)
        expect(page.locator("#winner")).to_have_text(str(digit))
        expect(page.locator("#agreement")).to_have_text("equal, bit for bit")
        expect(page.locator("#cycles")).to_have_text(re.compile(r"^42 cycles, 3\.5 µs"))
        expect(page.locator("#bars li")).to_have_count(10)
        expect(page.locator("#bars li.best .digit")).to_have_text(str(digit))
        expect(page.locator("#pixels i")).to_have_count(64)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.get_by_role("button", name="Clear").click()
        expect(page.locator("#winner")).to_have_text("–")
        page.get_by_role("button", name="Next example").click()
        expect(page.locator("#trip")).to_have_text(re.compile(r"written: \d$"))


def test_the_keyboard_draws(opened):
    with demonstration() as address:
        page = opened(address)
        page.locator("#pad").focus()
        page.keyboard.press("Space")
        for _ in range(15):
            page.keyboard.press("ArrowDown")
        page.keyboard.press("Space")
        expect(page.locator("#winner")).to_have_text("1")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator("#winner")).to_have_text("–")


def test_a_fault_of_the_link_is_one_line_on_the_page(browser):
    def mischief(frame):
        return encode(frame if frame.type == Type.INFO else Frame(Type.ERROR, 0, 0, b"\x01"))

    with demonstration(mischief=mischief) as address:
        page = browser.new_page()
        page.goto(address)
        page.get_by_role("button", name="Next example").click()
        expect(page.get_by_role("alert")).to_contain_text("a frame arrived damaged at the board")
        page.close()
