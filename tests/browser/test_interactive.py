"""Explorer, player, terms and search answer to a reader; a page is opened once for its tests."""

import pytest

from .conftest import Reader, each

LAST = "notebooks/07_adu.html"


@pytest.fixture(scope="module")
def page(browser):
    reader = Reader(browser)
    yield reader.open(LAST)
    reader.context.close()


def test_the_explorer_answers_to_the_mouse(page):
    plot = page.locator(".adu-explorer svg")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    seen = set()
    for step in range(1, 10):
        page.mouse.move(box["x"] + box["width"] * step / 10, box["y"] + box["height"] / 2)
        seen.add(page.locator(".adu-card").inner_text())
    assert len(seen) > 1


def test_the_explorer_answers_to_the_keyboard(page):
    plot = page.locator(".adu-explorer svg")
    plot.focus()
    before = page.locator(".adu-card").inner_text()
    page.keyboard.press("ArrowRight")
    assert page.locator(".adu-card").inner_text() != before
    page.keyboard.press("ArrowLeft")
    assert page.locator(".adu-card").inner_text() == before


def test_the_explorers_slider_runs_through_training(page):
    explorer = page.locator(".adu-interactive", has=page.locator(".adu-explorer"))
    slider = explorer.locator("input[type=range]")
    slider.focus()
    accuracy = explorer.locator("td")
    after = accuracy.all_inner_texts()
    page.keyboard.press("Home")
    assert slider.input_value() == "0"
    assert accuracy.all_inner_texts() != after


def test_the_player_shows_another_frame(page):
    player = page.locator(".adu-interactive", has=page.locator(".adu-frame")).first
    slider, frame = player.locator("input[type=range]"), player.locator("img.adu-light")
    slider.focus()
    assert slider.input_value() == "0"
    first = frame.get_attribute("src")
    page.keyboard.press("End")
    assert frame.get_attribute("src") != first
    page.keyboard.press("Home")
    player.get_by_role("button").click()
    page.wait_for_function("([img, src]) => img.src !== src", arg=[frame.element_handle(), first])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_figures_and_frames_suit_the_theme(browser, theme):
    reader = Reader(browser, theme=theme)
    page = reader.open(LAST)
    other = {"light": "dark", "dark": "light"}[theme]
    twins = page.locator("article img.only-dark").count()
    assert twins == page.locator("article img.only-light").count() > 2
    assert all(caption.is_visible() for caption in page.locator("article figcaption").all())
    for kind in ("only", "adu"):
        shown, hidden = (page.locator(f"article img.{kind}-{each}") for each in (theme, other))
        assert all(image.is_visible() for image in shown.all())
        assert not any(image.is_visible() for image in hidden.all())
    reader.context.close()


@each(["book/index.html"])
def test_a_term_explains_itself_to_mouse_and_keyboard(opened):
    page = opened.page
    box, link = page.locator("#definition"), page.locator('a[href$="#term-domain"]').first
    assert box.is_hidden()
    link.hover()
    assert box.inner_text().startswith("The style or technique of a picture")
    assert link.get_attribute("aria-describedby") == "definition"
    box.hover()  # it can be read without going away
    assert box.is_visible()
    page.keyboard.press("Escape")
    assert box.is_hidden()
    link.focus()
    assert box.is_visible()
    page.keyboard.press("Tab")
    assert link.get_attribute("aria-describedby") is None
    assert not opened.complaints


@each(["book/index.html"])
def test_every_link_to_a_term_has_an_explanation(opened):
    page = opened.page
    known = page.evaluate("Object.keys(window.DEFINITIONS)")
    found = page.evaluate(
        "[...document.querySelectorAll('a.reference[href*=\"#term-\"]')].map(a => a.hash.slice(1))"
    )
    assert found
    assert set(found) <= set(known)


def test_the_search_finds_instapg(reader):
    page = reader.open("search.html?q=InstaPG")
    page.locator("#search-results li a").first.wait_for()
    found = page.locator("#search-results li a").all_inner_texts()
    assert any("InstaPG" in text for text in found), found
    assert not reader.complaints
