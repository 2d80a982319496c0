"""The built book, opened from disk in Chromium with the network cut off."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

HTML = Path(__file__).parents[2] / "build/book/_build/html"
PAGES = sorted(
    path.relative_to(HTML).as_posix()
    for path in HTML.rglob("*.html")
    # An address on the server stands in the 404 page; the others are lists made by Sphinx.
    if path.name not in {"404.html", "genindex.html", "py-modindex.html"}
    and path != HTML / "index.html"  # leads on to book/index.html
    and not {"_static", "_modules"} & set(path.relative_to(HTML).parts)
)
sys.path.insert(0, str(HTML.parents[3] / "book"))
from to_pdf import chromium  # noqa: E402


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not PAGES:
        reason = "there is no built book: make book"
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=reason))
    items.sort(key=_page_of)  # the tests of a page follow one another: it is opened once


def _page_of(item: pytest.Item) -> str:
    """The page that a test is given opened; "" for a test that opens its own."""
    call = getattr(item, "callspec", None)
    return "" if call is None else str(call.params.get("opened", ""))


def each(pages: list[str]) -> pytest.MarkDecorator:
    """A test of each page, given opened."""
    return pytest.mark.parametrize("opened", pages, indirect=True)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium: the one that CHROMIUM names, the system's, or Playwright's own."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-background-networking"]
        )
        yield opened
        opened.close()


class Reader:
    """A tab without a network that remembers what went wrong."""

    name = ""  # of the page that is open

    def __init__(self, browser: Browser, *, width: int = 1280, theme: str = "light") -> None:
        self.context = browser.new_context(
            viewport={"width": width, "height": 900}, offline=True, reduced_motion="reduce"
        )
        self.context.add_init_script(f"localStorage.setItem('mode', '{theme}')")
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("requestfailed", lambda request: self.complaints.append(f"no {request.url}"))
        self.page.on("request", lambda request: self._asked(request.url))
        self.page.on("console", lambda message: self._said(message.type, message.text))

    def _asked(self, url: str) -> None:
        if not url.startswith((HTML.as_uri(), "data:", "blob:")):
            self.complaints.append(f"asked for {url}")

    def _said(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(f"{kind}: {text}")

    def open(self, name: str) -> Page:
        """Open a page and wait until its formulas are typeset."""
        self.name = name
        self.page.goto((HTML / name).as_uri() if "?" not in name else f"{HTML.as_uri()}/{name}")
        self.page.wait_for_load_state("load")
        self.page.evaluate("window.MathJax?.startup?.promise")
        return self.page


@pytest.fixture(scope="session")
def _tab(browser: Browser) -> Iterator[Reader]:
    """The one tab of ``opened``: a new one for each page would take longer than many a page."""
    tab = Reader(browser)
    yield tab
    tab.context.close()


@pytest.fixture
def opened(request: pytest.FixtureRequest, _tab: Reader) -> Reader:
    """A page, shared by the tests of it: each leaves it as it was."""
    if _tab.name != request.param:
        _tab.page.goto("about:blank")
        _tab.complaints.clear()
        _tab.open(request.param)
    return _tab


@pytest.fixture
def reader(browser: Browser) -> Iterator[Reader]:
    tab = Reader(browser)
    yield tab
    tab.context.close()
