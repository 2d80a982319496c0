import pytest

LAST = "notebooks/08_adu.html"


@pytest.fixture
def page(reader):
    return reader.open(LAST)


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
    slider, frame = player.locator("input[type=range]"), player.locator("img")
    slider.focus()
    last = frame.get_attribute("src")
    page.keyboard.press("Home")
    first = frame.get_attribute("src")
    assert first != last
    player.get_by_role("button").click()
    page.wait_for_function("([img, src]) => img.src !== src", arg=[frame.element_handle(), first])


def test_the_search_finds_instapg(reader):
    page = reader.open("search.html?q=InstaPG")
    page.locator("#search-results li a").first.wait_for()
    found = page.locator("#search-results li a").all_inner_texts()
    assert any("InstaPG" in text for text in found), found
    assert not reader.complaints
