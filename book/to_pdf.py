"""Print the book, built as one page, to PDF with Chromium.

Run: python book/to_pdf.py PAGE.html FILE.pdf (`make pdf` does)
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

#: What a Chromium may be called; CHROMIUM in the environment names another one.
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
#: What paper has no use for: the theme's bars and buttons; explorers and players keep one picture.
HIDDEN = (
    ".bd-sidebar, .bd-header, .bd-sidebar-secondary, .bd-footer, .prev-next-footer, "
    ".header-article, .chapter-facts, .skip-link, .headerlink, #pst-back-to-top, button, "
    ".only-dark, .cell summary"
)
STYLE = f"""
{HIDDEN} {{ display: none !important }}
.bd-main, .bd-content, .bd-article-container {{ max-width: none !important; display: block }}
pre {{ white-space: pre-wrap; font-size: 8.5pt }}
section section > h1 {{ break-before: page }}
figure, .cell_output img, table {{ break-inside: avoid }}
details {{ display: block }}
"""
#: Links lead to a place in the PDF. One page made of many has names twice: a citation means
#: the list of references, any other link its own chapter. What is on no page is only text.
LINKS = """() => {
  const places = Map.groupBy(document.querySelectorAll('[id]'), each => each.id);
  const chapter = each => each.closest('section:has(> h1)');
  const names = new Map();
  for (const link of document.querySelectorAll('a[href]')) {
    const address = new URL(link.href);
    if (address.protocol !== 'file:') continue;
    const found = places.get(decodeURIComponent(address.hash.slice(1))) ?? [];
    const meant = link.closest('.bibtex-citation')
      ? each => each.matches('.citation') : each => chapter(each) === chapter(link);
    const place = found.find(meant) ?? found[0];
    if (!place) { link.replaceWith(...link.childNodes); continue; }
    if (!names.has(place)) names.set(place, `place-${names.size}`);
    link.setAttribute('href', `#${names.get(place)}`);
  }
  for (const [place, name] of names) place.id = name;
}"""


def chromium() -> str | None:
    """Where a Chromium is; None leaves it to Playwright to find its own."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


def to_pdf(page: Path, pdf: Path) -> None:
    """Open the page without a network, wait for its formulas and pictures, and print it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        tab = browser.new_context(offline=True, color_scheme="light").new_page()
        tab.set_default_timeout(600_000)
        tab.goto(page.resolve().as_uri(), wait_until="load")
        tab.add_style_tag(content=STYLE)
        tab.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        tab.evaluate("window.MathJax?.startup?.promise")
        tab.evaluate(LINKS)
        margin = {"top": "18mm", "bottom": "18mm", "left": "16mm", "right": "16mm"}
        number = "<div style='font-size:8px;width:100%;text-align:center' class='pageNumber'></div>"
        tab.pdf(
            path=pdf, format="A4", scale=0.75, margin=margin, print_background=True,
            outline=True, tagged=True, display_header_footer=True,
            header_template="<span></span>", footer_template=number,
        )  # fmt: skip
        browser.close()


if __name__ == "__main__":
    to_pdf(Path(sys.argv[1]), Path(sys.argv[2]))
