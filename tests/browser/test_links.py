from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from .conftest import HTML, PAGES


class Seen(HTMLParser):
    """The links of a page, and the places in it that a link can lead to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        if known.get("id"):
            self.anchors.add(str(known["id"]))
        if tag == "a" and known.get("href") is not None:
            self.links.append(str(known["href"]))


seen = cache(Seen)


@pytest.mark.parametrize("name", ["index.html", *PAGES])
def test_every_link_of_a_page_leads_somewhere(name):
    page = HTML / name
    assert name == "index.html" or len(seen(page).links) > 20
    for link in seen(page).links:
        url = urlsplit(link)
        if url.scheme or link == "#":
            continue
        target = (page.parent / unquote(url.path)).resolve() if url.path else page
        assert target.is_file(), link
        if url.fragment and target.suffix == ".html":
            assert unquote(url.fragment) in seen(target).anchors, link
