from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page

from .conftest import HTML, PAGES, Reader, each

RULES = ["image-alt", "svg-img-alt", "link-name", "button-name", "label"]

#: Marks the visible texts that differ in what contrast depends on: their own colour and size, and
#: whatever lies under them. A chapter has thousands of texts and some forty such kinds, most of
#: them on every page: of each kind that was not judged before, one text is marked.
MARK_ONE_OF_EACH_KIND = """judged => {
  const met = new Set(judged);
  const plain = new Set(['1', 'none', 'rgba(0, 0, 0, 0)']);
  const known = new Map();
  const beneath = element => {
    if (!element) return '';
    if (!known.has(element)) {
      const {opacity, backgroundImage, backgroundColor} = getComputedStyle(element);
      const all = [opacity, backgroundImage, backgroundColor, beneath(element.parentElement)];
      known.set(element, all.filter(value => value && !plain.has(value)).join());
    }
    return known.get(element);
  };
  for (const element of document.querySelectorAll('main *')) {
    element.removeAttribute('data-kind');
    const own = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    if (!own || !element.checkVisibility() || !element.getClientRects().length) continue;
    const style = getComputedStyle(element);
    const kind = [style.color, style.fontSize, style.fontWeight];
    kind.push(beneath(element));
    if (!met.has(kind.join())) element.setAttribute('data-kind', met.size);
    met.add(kind.join());
  }
  return [...met];
}"""
JUDGED: list[str] = []

every_page = each(PAGES)
every_chapter = each([name for name in PAGES if name.startswith("notebooks/")])


def complaints(page: Page, *rules: str) -> list[str]:
    """What axe-core finds wrong with a page; of the texts, those that are marked are looked at."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
        page.evaluate("axe.configure({rules: [{id: 'color-contrast', selector: '[data-kind]'}]})")
    before, JUDGED[:] = len(JUDGED), page.evaluate(MARK_ONE_OF_EACH_KIND, JUDGED)
    if rules == ("color-contrast",) and len(JUDGED) == before:
        return []
    options = {"runOnly": rules, "resultTypes": ["violations"], "preload": False}
    found = page.evaluate("options => axe.run('main', options)", options)
    return [
        f"{violation['id']}: {node['html'][:120]} {node['failureSummary'][:200]}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


@every_page
def test_a_page_is_quiet_and_asks_nobody(opened):
    assert not opened.complaints


@every_page
def test_formulas_are_typeset(opened):
    written = opened.page.locator("article .math").count()
    assert opened.page.locator("article .math mjx-container").count() == written
    assert opened.page.locator("article mjx-merror").count() == 0


@every_page
def test_every_picture_has_a_text(opened):
    pictures = "[...document.querySelectorAll('article img')].map(img => [img.src, img.alt])"
    found = opened.page.evaluate(pictures)
    assert [source for source, text in found if len(text) <= 15] == []


@every_page
def test_contrast_and_names_of_pictures_links_and_controls(opened):
    wrong = complaints(opened.page, "color-contrast", *RULES)
    assert not wrong, "\n".join(wrong)


@every_page
def test_contrast_on_a_dark_page(opened):
    opened.page.evaluate("document.documentElement.dataset.theme = 'dark'")
    wrong = complaints(opened.page, "color-contrast")
    opened.page.evaluate("document.documentElement.dataset.theme = 'light'")
    assert not wrong, "\n".join(wrong)


def test_pale_letters_are_found(reader: Reader) -> None:
    page = reader.open("book/glossary.html")
    page.evaluate(
        "document.querySelector('article p').innerHTML += '<span style=\"color: #ccc\">pale</span>'"
    )
    wrong = complaints(page, "color-contrast", *RULES)
    assert len(wrong) == 1
    assert "pale" in wrong[0]


@every_page
def test_a_phone_does_not_scroll_sideways_and_no_number_or_name_is_torn(opened):
    opened.page.set_viewport_size({"width": 375, "height": 800})
    width = opened.page.evaluate("document.documentElement.scrollWidth")
    torn = opened.page.evaluate(
        "[...document.querySelectorAll('td.text-right p, th.text-right code,"
        " tr:has(> td.text-right) > td:first-child code')]"
        ".filter(it => it.offsetHeight > 40).map(it => it.innerText)"
    )
    opened.page.set_viewport_size({"width": 1280, "height": 900})
    assert width <= 375
    assert not torn


@every_chapter
def test_on_a_phone_a_diagram_is_large_enough_and_numbers_stay_on_one_line(opened: Reader) -> None:
    """Figures scroll inside of their frame; a value and its interval are not torn apart."""
    page = opened.page
    page.set_viewport_size({"width": 400, "height": 800})
    wide = page.locator("article .wide img.only-light, article figure img.only-light")
    widths = [image.bounding_box()["width"] for image in wide.all()]
    tall = page.evaluate(
        "[...document.querySelectorAll('table.dataframe td')].filter(cell => cell.offsetParent"
        " && cell.clientHeight > 40).map(cell => cell.innerText)"
    )
    page.set_viewport_size({"width": 1280, "height": 900})
    assert min(widths) > 500
    assert not tall


def test_some_page_has_formulas():
    pages = ((HTML / name).read_text(encoding="utf-8") for name in PAGES)
    assert any('class="math' in page for page in pages)


def test_the_reader_can_choose_the_dark_theme(browser: Browser):
    reader = Reader(browser, theme="dark")
    page = reader.open("book/index.html")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    reader.context.close()


@every_chapter
def test_a_chapter_on_a_wide_page(opened: Reader) -> None:
    """No line of code is cut at 1,400 pixels; the diagram says where in the method we are."""
    page = opened.page
    page.set_viewport_size({"width": 1400, "height": 900})
    cut = page.evaluate(
        "[...document.querySelectorAll('.cell_input pre')]"
        ".filter(e => e.offsetParent && e.scrollWidth > e.clientWidth).map(e => e.innerText)"
    )
    page.set_viewport_size({"width": 1280, "height": 900})
    assert not cut
    where = page.locator("article img.where.only-light")
    assert where.count() == 1
    assert where.evaluate("image => image.naturalWidth") > 0


@every_chapter
def test_a_question_answers_to_whoever_picks_a_choice(opened: Reader) -> None:
    page = opened.page
    question = page.locator(".adu-quiz").first
    choices, answer = question.locator("input[type=radio]"), question.locator("[role=status]")
    assert answer.inner_text() == ""
    choices.first.focus()
    page.keyboard.press("Space")
    said = answer.inner_text()
    assert len(said) > 5
    page.keyboard.press("ArrowDown")
    assert answer.inner_text() != said
    assert not opened.complaints


@each(["book/index.html"])
def test_the_front_page_shows_the_finding_with_its_numbers(opened: Reader) -> None:
    page = opened.page
    image = page.locator('img.only-light[src$="bench.svg"]')
    assert image.evaluate("image => image.naturalWidth") > 0
    assert page.locator("figure", has=image).locator("figcaption").is_visible()
    assert page.locator("article").inner_text().count(" ± ") == 8
    assert "{{" not in page.locator("article").inner_text()
