from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup

from .conftest import HTML, PAGES


@cache
def soup(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


@cache
def anchors(path: Path) -> set[str]:
    return {tag["id"] for tag in soup(path).find_all(id=True)}


@pytest.mark.parametrize("name", ["index.html", *PAGES])
def test_every_link_of_a_page_leads_somewhere(name):
    page = HTML / name
    for link in soup(page).find_all("a", href=True):
        url = urlsplit(link["href"])
        if url.scheme or link["href"] == "#":
            continue
        target = (page.parent / unquote(url.path)).resolve() if url.path else page
        assert target.is_file(), link
        if url.fragment and target.suffix == ".html":
            assert unquote(url.fragment) in anchors(target), link
