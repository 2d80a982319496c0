"""Figures for dark pages: greys turn round, colours and pictures stay, nothing is left changed."""

import base64
import hashlib
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
import seaborn as sns
from docutils import nodes
from docutils.utils import new_document
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from adu_core.pages.dark import DARK, LIGHT, dark_png, darkened, turned

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "book/_ext"))
import dark  # noqa: E402


@pytest.fixture(autouse=True)
def _plain() -> Iterator[None]:
    """A chapter's look that another test chose changes no figure here."""
    with mpl.rc_context(mpl.rcParamsDefault):
        yield


def lines() -> Figure:
    figure, axes = plt.subplots(figsize=(3, 2))
    axes.plot([1, 2, 3], color="#333333", marker="o", markerfacecolor="none", label="a")
    axes.errorbar([1, 2], [1, 2], yerr=[0.1, 0.2], color="k")
    axes.axhline(2, color="#888888", linestyle=":")
    axes.annotate("x", (1, 1), (1.5, 1.5), arrowprops={"arrowstyle": "->"})
    axes.legend()
    axes.set(title="title", xlabel="epoch")
    return figure


def bars() -> Figure:
    figure, axes = plt.subplots(figsize=(3, 2))
    axes.bar([1, 2], [3, 4], color=["#de8f05", "#cccccc"], edgecolor="k")
    axes.scatter([1, 2], [1, 2], c="k")
    axes.fill_between([1, 2], [1, 2], [2, 3], color="0.8")
    return figure


def heat() -> Figure:
    figure, axes = plt.subplots(figsize=(3, 2))
    sns.heatmap(np.arange(16).reshape(4, 4), annot=True, ax=axes)
    return figure


def mapped() -> Figure:
    figure, (left, right) = plt.subplots(1, 2, figsize=(3, 2))
    left.scatter([1, 2], [1, 2], c=[0.1, 0.4])
    right.imshow(np.random.default_rng(0).random((8, 8, 3)))
    right.text(3, 3, "cat", color="white")
    return figure


def laid_out() -> Figure:
    figure, axes = plt.subplots(1, 2, figsize=(3, 2), layout="constrained")
    figure.colorbar(axes[0].scatter([1, 2], [1, 2], c=[0.1, 0.4]), label="share")
    axes[1].set(title="a title", ylabel="far, %")
    return figure


def png(figure: Figure) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def test_greys_turn_round_and_colours_stay() -> None:
    white, black, grey, blue, clear = turned(["white", "black", "0.5", "#0173b2", (1, 1, 1, 0.3)])
    assert white[:3].max() < 0.1
    assert black[:3].min() > 0.9
    assert 0.4 < grey[0] < 0.6
    assert np.allclose(blue[:3], np.array([0x01, 0x73, 0xB2]) / 255)
    assert clear[3] == pytest.approx(0.3)


@pytest.mark.parametrize("draw", [lines, bars, heat, mapped, laid_out])
def test_the_figure_is_afterwards_what_it_was(draw) -> None:
    figure = draw()
    png(figure)  # a layout settles with the first drawing
    before = png(figure)
    shown = dark_png(figure)
    with Image.open(BytesIO(shown)) as picture:
        assert picture.getpixel((0, 0))[3] == 0  # the ground is transparent
    assert shown != before
    assert png(figure) == before
    with pytest.raises(KeyError), darkened(figure):
        raise KeyError
    assert png(figure) == before
    plt.close(figure)


def test_a_title_becomes_light_and_what_stands_on_pictures_stays() -> None:
    figure, heated = lines(), heat()
    axes = heated.axes[0]
    on_it = [(text, text.get_color()) for text in axes.texts]
    above = axes.text(2, -0.5, "above", color="black")
    with darkened(figure), darkened(heated):
        assert min(figure.axes[0].title.get_color()[:3]) > 0.7
        assert all(text.get_color() == before for text, before in on_it)
        assert min(axes.get_xticklabels()[0].get_color()[:3]) > 0.7
        assert to_rgb(above.get_color())[0] > 0.9
    plt.close("all")


def test_text_on_a_coloured_bar_stays_and_on_a_grey_one_turns() -> None:
    figure, axes = plt.subplots(figsize=(3, 2))
    for place, colour in enumerate(["#7a4f86", "#333333"]):
        axes.bar(place, 2, color=colour)
        axes.text(place, 1, "x", color="white", ha="center", va="center")
    with darkened(figure):
        on_colour, on_grey = (text.get_color() for text in axes.texts)
        assert on_colour == "white"
        assert max(on_grey[:3]) < 0.1
    plt.close(figure)


def test_a_notebooks_output_holds_both_and_the_page_shows_them(tmp_path: Path) -> None:
    code = "import matplotlib.pyplot as plt\nfrom adu_core import figures\n"
    code += "figures.style()\nplt.plot([1, 2]);"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    path = tmp_path / "page.ipynb"
    nbformat.write(notebook, path)
    subprocess.run([sys.executable, ROOT / "book/execute.py", path, path], check=True)
    notebook = nbformat.read(path, as_version=4)
    (output,) = (each for each in notebook.cells[0].outputs if "data" in each)
    light = base64.b64decode(output["data"][LIGHT])
    shown = base64.b64decode(output["metadata"][LIGHT][DARK])
    assert light != shown
    sizes = {Image.open(BytesIO(each)).size for each in (light, shown)}
    assert len(sizes) == 1
    name = hashlib.sha256(light).hexdigest()
    assert list(dark.pairs(path)) == [(name, shown)]

    class App:  # what the extension asks of Sphinx
        srcdir = tmp_path

        class env:  # noqa: N801
            docname = "page"

            @staticmethod
            def doc2path(docname: str) -> str:
                return str(path)

    (tmp_path / f"{name}.png").write_bytes(light)
    page = new_document("page")
    page += nodes.image(uri=f"{name}.png", alt="a line")
    page += nodes.image(uri="another.png", alt="no twin")
    dark.add_dark(App, page)
    first, second, third = page.findall(nodes.image)
    assert (first["classes"], second["classes"]) == (["only-light"], ["only-dark"])
    assert (tmp_path / second["uri"]).read_bytes() == shown
    assert second["alt"] == first["alt"]
    assert not third["classes"]
