"""Some pages as one PDF, printed as ``make pdf`` prints all: its links lead somewhere."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest
from to_pdf import to_pdf

SITE = Path(__file__).parents[2] / "build/site"
#: Pages that lead to one another and execute nothing.
TOC = """{format: jb-book, root: book/related-work,
chapters: [{file: book/method}, {file: book/glossary}, {file: book/references}]}"""


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A book of four pages, printed; Chromium writes links uncompressed."""
    folder = tmp_path_factory.mktemp("pdf")
    (folder / "site").mkdir()
    shutil.copytree(SITE / "book", folder / "site/book", ignore=shutil.ignore_patterns("api"))
    shutil.copy(SITE / "pyproject.toml", folder / "site")
    (folder / "site/toc.yml").write_text(TOC)
    command = [
        str(Path(sys.executable).with_name("jupyter-book")), "build", ".",
        "--config", "book/_config.yml", "--toc", "toc.yml", "--path-output", "..",
        "--builder", "singlehtml",
    ]  # fmt: skip
    subprocess.run(command, cwd=folder / "site", check=True, capture_output=True)
    built = folder / "_build/singlehtml"
    (built / "book/related-work.html").rename(built / "one.html")
    to_pdf(built / "one.html", folder / "one.pdf")
    return (folder / "one.pdf").read_bytes()


def test_it_is_a_pdf_of_several_pages_with_an_outline(printed: bytes) -> None:
    assert printed.startswith(b"%PDF")
    assert len(re.findall(rb"/Type /Page\b", printed)) >= 3
    assert b"/Outlines" in printed


def test_no_link_leads_to_a_file_of_the_machine_that_printed_it(printed: bytes) -> None:
    addresses = [unquote(uri.decode()) for uri in re.findall(rb"/URI \((.*?)\)", printed)]
    assert any(address.startswith("https://") for address in addresses)
    assert [address for address in addresses if not address.startswith("http")] == []


def test_links_between_chapters_lead_to_a_place_in_it(printed: bytes) -> None:
    wanted = set(re.findall(rb"/Dest /([^\s/>]+)", printed))
    known = set(re.findall(rb"/([^\s/\[\]<>]+) \[\d+ 0 R /XYZ", printed))
    assert len(wanted) > 10
    assert wanted <= known
