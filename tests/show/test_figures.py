"""Figures with names as people have them: whole, beside each other, and true."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from texts import drawn, unreadable

from adu_core import DomainDataset, Model, Run, Splits
from adu_core.machine.files import read_json
from adu_core.show import figures
from adu_core.show.audit_figure import audit_figure
from adu_core.show.lettering import any_script

NAMES = {
    "PACS": (
        ["dog", "elephant", "giraffe", "guitar", "horse", "house", "person"],
        ["art painting", "cartoon", "photo", "sketch"],
    ),
    "six domains, 65 classes": (
        ["alarm clock", "backpack", "batteries", "clipboards", "desk lamp", "file cabinet"]
        + [f"push pin {number}" for number in range(59)],
        ["art painting", "clipart", "infograph", "product photograph", "quickdraw", "real world"],
    ),
    "any characters": (
        ["$x$ & $y$", "a|b_c%", "日本語の名前がとても長いとき", "<b>\\x{}", "n" * 60, "été"],
        ["$a$ <i>", "100 % $b$", "写真と絵", "^~"],
    ),
    "twelve domains": (
        ["cat", "a class of which the name is a whole sentence"],
        [f"{number} pictures of a manner of drawing" for number in range(12)],
    ),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _plain() -> Iterator[None]:
    """A chapter's look that another test chose changes no figure here."""
    with mpl.rc_context(mpl.rcParamsDefault):
        yield
    plt.close("all")


def a_run(gate: Model, few: Splits, classes: list[str], domains: list[str]) -> Run:
    """A run whose pictures have these names; all are recognised before, two in three after."""
    count = 3 * len(domains) * min(len(classes), 7)
    each = torch.arange(count)
    pictures = DomainDataset(
        few.test.pictures[each * 5 % len(few.test)],
        (each // len(domains)) % len(classes),
        each % len(domains),
        tuple(classes),
        tuple(domains),
    )
    sentences = gate.clip.class_features(pictures.class_names)
    after = (pictures.labels + (each % 3 == 0)) % len(classes)
    percent = {name: 97.0 - 90 * i / len(domains) for i, name in enumerate(domains)}
    result = {
        "metrics": {"mem": 88.8, "for": 100.0, "h": 94.1},
        "accuracy": percent,
        "forgotten": {name: percent[name] for name in domains[1:3]},
        "entanglement": {"silhouette_class": -0.12, "silhouette_domain": 0.34},
    }
    record: Any = {"before": result, "after": result}
    features = sentences[pictures.labels], sentences[after]
    noise = torch.Generator().manual_seed(0)
    spread = 0.01 * torch.randn(len(each), sentences.shape[1], generator=noise)
    return Run(record, gate.clip, gate, [], pictures, *(each + spread for each in features))


def shown(figure: Figure) -> str:
    """All text of a figure, without what parts words and lines."""
    return "".join("".join(text.get_text().split()) for text in drawn(figure))


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_a_run_in_one_figure(
    names: tuple[list[str], list[str]], gate: Model, few: Splits, tmp_path: Path
) -> None:
    figure = figures.before_after(a_run(gate, few, *names), points=40)
    with any_script():
        assert unreadable(figure) == []
        text = shown(figure)
    assert all("".join(name.split()) in text for name in names[1])
    figures.save(figure, tmp_path / "figure.png")  # no warning of a letter that no font has
    with Image.open(tmp_path / "figure.png") as written:
        assert max(written.size) < 4000


def test_what_is_refused_is_neither_right_nor_wrong(gate: Model, few: Splits) -> None:
    run = a_run(gate, few, *NAMES["PACS"])
    figure = figures.before_after(run, points=40)
    colours = {}
    for axes in figure.findobj(Axes):
        if axes.images:
            picture = torch.as_tensor(axes.images[0].get_array()).permute(2, 0, 1)
            refused = bool(gate.refuses(picture[None])[0])
            assert (axes.get_title() == "refused") is refused
            colours.setdefault(axes.title.get_color(), set()).add(refused)
    assert colours.pop(figures.REFUSED) == {True}
    assert colours
    assert all(told == {False} for told in colours.values())


# An audit.


def renamed(record: Mapping[str, Any], *names: tuple[str, str]) -> Any:
    text = json.dumps(record, ensure_ascii=False)
    for old, new in names:
        text = text.replace(old, json.dumps(new, ensure_ascii=False)[1:-1])
    return json.loads(text)


def own_pictures(record: dict[str, Any], more: int) -> dict[str, Any]:
    """The same, of pictures that nobody can move, with so many more domains."""
    domains = [f"manner of drawing {number}" for number in range(more)]
    for who in ("frozen", "model"):
        record["accuracy"][who]["kept"] |= dict.fromkeys(domains, 44.0)
    tried = {name: each for name, each in record["disguises"].items() if "%" not in name}
    worn = {"family": "colour", "frozen": 90.0, "model": 99.0, "counts": True}
    tried |= {f"colours of {name}": worn for name in domains}
    return record | {"between": None, "disguises": tried}


@pytest.mark.parametrize("method", ["full", "door", "lp++"])
@pytest.mark.parametrize("more", [None, 0, 9])
def test_an_audit_in_one_figure(method: str, more: int | None, repository: Path) -> None:
    path = repository / f"book/results/audit/sketch-{method}/audit.json"
    record = read_json(path)
    if more is not None:
        long = ("real", "photographs of the world"), ("clipart", "$clip$ art & <b>")
        record = own_pictures(renamed(record, *long), more)
    figure = audit_figure(record)
    assert unreadable(figure) == []
    text = shown(figure)
    for side in ("kept", "forgotten"):
        assert all("".join(name.split()) in text for name in record["accuracy"]["model"][side])
    for axes in figure.axes:
        assert axes.get_title()
        assert axes.get_xlabel()
        assert axes.lines or axes.patches
    assert len(figure.axes) == (6 if more is None else 5)
