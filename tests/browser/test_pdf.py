"""Some pages as one PDF, printed as ``make pdf`` prints all: its links lead somewhere."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).parents[2]
SITE = ROOT / "build/site"
#: Pages that lead to one another and execute nothing.
TOC = """{format: jb-book, root: book/related-work,
chapters: [{file: book/method}, {file: book/glossary}, {file: book/references}]}"""


def printed(folder: Path) -> bytes:
    """A book of four pages, printed; Chromium writes links uncompressed."""
    (folder / "site").mkdir()
    shutil.copytree(
        SITE / "book", folder / "site/book", ignore=shutil.ignore_patterns("api", "results")
    )
    (folder / "site/book/results").symlink_to(SITE / "book/results")
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
    pdf = folder / "one.pdf"
    words = [sys.executable, str(ROOT / "book/to_pdf.py"), str(built / "one.html"), str(pdf)]
    subprocess.run(words, check=True)
    return pdf.read_bytes()


def test_links_lead_to_a_place_in_it_or_to_the_web(tmp_path: Path) -> None:
    pdf = printed(tmp_path)
    assert pdf.startswith(b"%PDF")
    assert len(re.findall(rb"/Type /Page\b", pdf)) >= 3
    assert b"/Outlines" in pdf
    addresses = [unquote(uri.decode()) for uri in re.findall(rb"/URI \((.*?)\)", pdf)]
    assert addresses
    assert [address for address in addresses if not address.startswith("https://")] == []
    wanted = set(re.findall(rb"/Dest /([^\s/>]+)", pdf))
    known = set(re.findall(rb"/([^\s/\[\]<>]+) \[\d+ 0 R /XYZ", pdf))
    assert len(wanted) > 10
    assert wanted <= known
