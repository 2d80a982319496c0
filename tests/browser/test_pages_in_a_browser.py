from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from .conftest import HTML, PAGES, Reader

RULES = ["color-contrast", "image-alt", "svg-img-alt", "link-name", "button-name", "label"]


@pytest.fixture(scope="module", params=PAGES)
def opened(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Reader]:
    """A page, opened once for all tests of it."""
    reader = Reader(browser)
    reader.open(request.param)
    yield reader
    reader.context.close()


def test_a_page_is_quiet_and_asks_nobody(opened):
    assert not opened.complaints


def test_formulas_are_typeset(opened):
    written = opened.page.locator("article .math").count()
    assert opened.page.locator("article .math mjx-container").count() == written
    assert opened.page.locator("article mjx-merror").count() == 0


def test_every_picture_has_a_text(opened):
    for image in opened.page.locator("article img").all():
        alt = image.get_attribute("alt") or ""
        assert len(alt) > 15, image.get_attribute("src")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_contrast_and_labels(opened, theme):
    opened.page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
    found = Axe().run(opened.page, context="main", options={"runOnly": RULES})
    wrong = [
        f"{violation['id']}: {node['html'][:120]} {node['failureSummary'][:200]}"
        for violation in found.response["violations"]
        for node in violation["nodes"]
    ]
    assert not wrong, "\n".join(wrong)


def test_a_phone_does_not_scroll_sideways(opened):
    opened.page.set_viewport_size({"width": 375, "height": 800})
    width = opened.page.evaluate("document.documentElement.scrollWidth")
    opened.page.set_viewport_size({"width": 1280, "height": 900})
    assert width <= 375


def test_some_page_has_formulas():
    pages = ((HTML / name).read_text(encoding="utf-8") for name in PAGES)
    assert any('class="math' in page for page in pages)


def test_the_reader_can_choose_the_dark_theme(browser: Browser):
    reader = Reader(browser, theme="dark")
    page = reader.open("book/index.html")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    reader.context.close()


NOTEBOOKS = [name for name in PAGES if name.startswith("notebooks/")]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_chapter_on_a_wide_page(browser: Browser, name: str) -> None:
    """No line of code is cut at 1,400 pixels; the diagram says where in the method we are."""
    reader = Reader(browser, width=1400)
    page = reader.open(name)
    cut = page.evaluate(
        "[...document.querySelectorAll('.cell_input pre')]"
        ".filter(e => e.offsetParent && e.scrollWidth > e.clientWidth).map(e => e.innerText)"
    )
    assert not cut
    where = page.locator("article img.where.only-light")
    assert where.count() == 1
    assert where.evaluate("image => image.naturalWidth") > 0
    reader.context.close()


def test_the_front_page_shows_the_finding_with_its_numbers(reader: Reader) -> None:
    page = reader.open("book/index.html")
    image = page.locator('img.only-light[src$="bench.svg"]')
    assert image.evaluate("image => image.naturalWidth") > 0
    assert page.locator("figure", has=image).locator("figcaption").is_visible()
    assert page.locator("article").inner_text().count(" ± ") == 4
    assert "{{" not in page.locator("article").inner_text()
