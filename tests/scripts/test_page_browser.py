"""The pages in Chromium: three widths in both schemes without sideways scroll, tables by keyboard, points under the pointer."""

import pytest
from support.browser import MARKS, chromium, page_opener, playwright

from softstream.scripts.cli import main
from softstream.scripts.reports import bench_report
from softstream.scripts.verbs import bench
from softstream.sim.data import DIGITS_LABELS, DIGITS_SCORES

expect = playwright.expect
pytestmark = MARKS
DIGITS = ("--scores", str(DIGITS_SCORES), "--labels", str(DIGITS_LABELS), "--no-place")
SWEEP = ("--no-cells", "--sweep", "probability_width=6,8", "--sweep", "guard_bits=2,4")


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The pages in a folder: names → files."""
    folder = tmp_path_factory.mktemp("pages")
    for name, command in {
        "plan": ("describe", "softmax-int8"),
        "sweep": ("explore", "softmax-int8", "--set", "max_length=16", *SWEEP),
        "gallery": ("gallery",),
        "compare": ("compare", "digits-softmax", *DIGITS),
        "family": ("compare", "digits-softmax", "--modes", "softmax,entropy,sample,top_k", *DIGITS),
    }.items():
        with pytest.raises(SystemExit) as ended:
            main([*command, "-o", str(folder / f"{name}.html")])
        assert not ended.value.code
    (folder / "bench.html").write_text(bench_report.render(bench.recorded()), encoding="utf-8")
    return {path.stem: path for path in folder.iterdir()}


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def opened(browser, pages):
    """Opens a page by its name; the test fails if it writes to the console or asks for a second file."""
    with page_opener(browser, lambda url, address: url == address) as open_page:
        yield lambda name, width, scheme="light": open_page(pages[name].as_uri(), width, scheme)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 800, 1400])
@pytest.mark.parametrize("name", ["plan", "sweep", "gallery", "bench", "compare", "family"])
def test_a_page_fits_its_window(opened, name, width, scheme):
    page = opened(name, width, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # Everything but the boxes that scroll lies within the window.
    outside = page.evaluate(
        "w => [...document.querySelectorAll('h1,h2,h3,p,figure,pre,dd,math,.scroll')]"
        ".filter(e => e.getBoundingClientRect().right > w + 1).map(e => e.outerHTML.slice(0, 80))",
        width,
    )
    assert outside == []
    # No name runs into the next column.
    assert (
        page.evaluate("[...document.querySelectorAll('th, td')].filter(e => e.scrollWidth > e.clientWidth + 1).length")
        == 0
    )
    page.close()


def test_a_table_says_that_it_scrolls_only_where_it_does(opened):
    hint = (
        "t => [t.scrollWidth > t.clientWidth, getComputedStyle(t, '::before').visibility === 'visible'"
        " && parseFloat(getComputedStyle(t, '::before').height) > 0]"
    )
    seen = set()
    for width in (400, 1400):
        page = opened("plan", width)
        for box in page.locator(".wide").all():
            scrolls, says = box.evaluate(hint)
            assert scrolls == says
            seen.add(scrolls)
        page.close()
    assert seen == {True, False}


def test_a_table_scrolls_by_keyboard_and_keeps_its_first_column(opened):
    page = opened("bench", 400)
    box = page.locator(".wide").first
    box.focus()
    first = box.locator("tbody th").first
    left = first.bounding_box()["x"]
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('.wide').scrollLeft > 100")
    assert abs(first.bounding_box()["x"] - left) < 1
    page.close()


def test_a_point_shows_its_settings_under_the_pointer_and_by_keyboard(opened):
    page = opened("sweep", 1400)
    readout = page.locator(".readout")
    point = page.locator("circle.point:not([tabindex])").last
    point.hover()
    expect(readout).to_have_text(point.locator("title").text_content(), use_inner_text=False)
    for number in point.get_attribute("data-point").split():
        expect(page.locator(f'tr.same[data-point="{number}"]').first).to_be_visible()
    page.mouse.move(1, 1)
    expect(page.locator("tr.same")).to_have_count(0)
    front = page.locator("circle.point[tabindex]").first
    front.focus()
    expect(readout).to_have_text(front.locator("title").text_content())
    expect(page.locator("tr.same").first).to_be_visible()
    page.close()


def test_the_links_of_the_benchmark_are_links(opened):
    page = opened("bench", 1400)
    targets = [link.get_attribute("href") for link in page.locator("a").all()]
    assert targets
    assert all(target.startswith("https://") for target in targets)
    page.close()


@pytest.mark.parametrize("name", ["plan", "sweep", "gallery", "bench", "compare", "family"])
def test_nothing_is_cut_on_paper(opened, name):
    width = 703  # A4 less its margins
    page = opened(name, width, "dark")
    page.emulate_media(media="print", color_scheme="dark")
    beyond = (
        "w => [...document.querySelectorAll('table, figure, pre, svg')]"
        ".filter(e => e.getBoundingClientRect().right > w + 1).length"
    )
    assert page.evaluate(beyond, width) == 0
    page.close()


def test_a_printed_data_path_is_light(opened):
    page = opened("plan", 800, "dark")
    fill = "getComputedStyle(document.querySelector('svg.path rect')).fill"
    dark = page.evaluate(fill)
    page.emulate_media(media="print", color_scheme="dark")
    printed = page.evaluate(fill)
    page.emulate_media(media="screen", color_scheme="light")
    assert printed == page.evaluate(fill) != dark
    page.close()


def test_a_printed_page_is_light_and_shows_every_column(opened):
    page = opened("plan", 800, "dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(252, 252, 251)"
    visible = page.evaluate("[...document.querySelectorAll('.scroll')].map(e => getComputedStyle(e).overflowX)")
    assert set(visible) == {"visible"}
    page.close()
