import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from .conftest import HTML, PAGES, Reader


@pytest.fixture(params=PAGES)
def name(request: pytest.FixtureRequest) -> str:
    page: str = request.param
    return page


def test_a_page_is_quiet_and_asks_nobody(reader, name):
    reader.open(name)
    assert not reader.complaints


def test_formulas_are_typeset(reader, name):
    page = reader.open(name)
    written = page.locator("article .math").count()
    assert page.locator("article .math mjx-container").count() == written
    assert page.locator("article mjx-merror").count() == 0


def test_some_page_has_formulas():
    pages = ((HTML / name).read_text(encoding="utf-8") for name in PAGES)
    assert any('class="math' in page for page in pages)


def test_contrast_and_texts_of_pictures(browser: Browser, name, theme):
    reader = Reader(browser, theme=theme)
    page = reader.open(name)
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    rules = ["color-contrast", "image-alt", "svg-img-alt", "link-name", "button-name", "label"]
    found = Axe().run(page, context="article", options={"runOnly": rules})
    reader.context.close()
    wrong = [
        f"{violation['id']}: {node['html'][:120]} {node['failureSummary'][:200]}"
        for violation in found.response["violations"]
        for node in violation["nodes"]
    ]
    assert not wrong, "\n".join(wrong)


def test_every_picture_has_a_text(reader, name):
    page = reader.open(name)
    for image in page.locator("article img").all():
        alt = image.get_attribute("alt") or ""
        assert len(alt) > 15, image.get_attribute("src")


def test_a_phone_does_not_scroll_sideways(browser: Browser, name):
    reader = Reader(browser, width=375)
    page = reader.open(name)
    width = page.evaluate("document.documentElement.scrollWidth")
    reader.context.close()
    assert width <= 375
