import json
import re
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def cells(notebook: Path) -> Any:
    return json.loads(notebook.read_text(encoding="utf-8"))["cells"]


def code_of(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [cell for cell in cells if cell["cell_type"] == "code"]


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


def test_a_notebook_begins_with_its_title_and_is_stored_without_outputs(cells) -> None:
    assert cells[0]["source"][0].startswith("# ")
    for cell in code_of(cells):
        assert not cell["outputs"]
        assert cell["execution_count"] is None


def test_every_chapter_has_what_the_others_have(notebook: Path, cells) -> None:
    prose = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    code = code_of(cells)
    for part in (
        "In this chapter", "**You will**", "**You need**", "## Summary", "**What to try next",
        "**Take away",
    ):  # fmt: skip
        assert part in prose, part
    chapter = int(notebook.name[:2])
    exercises = re.findall(rf"\{{admonition\}} Exercise {chapter}\.\d · \d+ minutes · \w+", prose)
    solutions = [c for c in code if "hide-cell" in c["metadata"].get("tags", [])]
    assert len(exercises) >= 2
    assert len(solutions) >= 2
    assert any("{cite:" in "".join(c["source"]) for c in cells)
    # The chapter on a GPU says itself which CLIP and pictures it takes: it is about these.
    assert chapter == 8 or any("profile()" in "".join(c["source"]) for c in code)
    assert any("quiz(" in "".join(c["source"]) for c in code)


def test_what_a_page_folds_is_folded_in_jupyter_and_on_colab(cells) -> None:
    """Solutions, guards and plumbing, and nothing else."""
    for cell in cells:
        about = cell["metadata"]
        folded = {"hide-cell", "hide-input", "remove-cell", "remove-input"} & set(
            about.get("tags", [])
        )
        assert about.get("jupyter", {}).get("source_hidden", False) == bool(folded)
        assert about.get("cellView") == ("form" if folded else None)


def test_code_fits_the_column_of_a_page(cells) -> None:
    lines = [line for cell in code_of(cells) for line in cell["source"]]
    assert [line for line in lines if len(line.rstrip("\n")) > 84] == []


def test_every_figure_has_a_caption_and_a_text(cells) -> None:
    figures = [c["metadata"]["mystnb"] for c in cells if "image" in str(c["metadata"])]
    assert figures
    for figure in figures:
        assert len(figure["image"]["alt"]) > 20
        assert len(figure["figure"]["caption"]) > 20


def test_tables_are_plain_and_quizzes_explain(cells) -> None:
    """A styled table runs its columns together; a reply that points elsewhere explains nothing."""
    code = "\n".join("".join(cell["source"]) for cell in code_of(cells))
    assert not re.search(r"\.style\b(?!\()", code)
    assert not re.search(
        r"[Ll]ook (at the (table|figure|next)|below)|[Ss]ee (the next|below)", code
    )
