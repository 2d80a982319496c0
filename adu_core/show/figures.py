"""The book's figures. A domain has the same colour everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from PIL import Image
from torch import Tensor
from torchvision.utils import make_grid

from adu_core.dataset import DomainDataset
from adu_core.machine.files import replacing
from adu_core.measure import class_logits
from adu_core.pages.dark import keep_both
from adu_core.runs.run import Run
from adu_core.show.lettering import any_script, columns, lettering, lines, wrapped

#: For domains in their order: told apart by colour-blind readers, on white and on black.
DOMAIN_COLOURS = (
    "#0173b2", "#de8f05", "#029e73", "#cc78bc", "#ca9161", "#949494", "#d55e00", "#56b4e9",
)  # fmt: skip
#: Examples of a rendered domain are those whose style moved less than this towards another.
TYPICAL = 0.05
RIGHT, WRONG, REFUSED = "#1a7f4b", "#c2410c", "#666666"


def style() -> None:
    """The look of the book's figures, for a notebook's first cell: seaborn's ticks, one font.

    A notebook's outputs then hold each figure twice, for light pages and for dark ones.
    """
    keep_both()
    sns.set_theme(
        style="ticks",
        palette=DOMAIN_COLOURS,
        font="DejaVu Sans",
        rc={
            "figure.dpi": 110,
            "figure.facecolor": "white",
            "figure.constrained_layout.use": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "font.size": 10,
        },
    )


def domain_palette(domain_names: Sequence[str]) -> dict[str, str]:
    """The colour of each domain, by its place in the dataset's list."""
    return {name: DOMAIN_COLOURS[i % len(DOMAIN_COLOURS)] for i, name in enumerate(domain_names)}


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure, whole or not at all, and close it; the suffix says the format."""
    with replacing(path) as temporary, any_script():
        figure.savefig(temporary, dpi=144, facecolor="white")
    plt.close(figure)


def save_sheet(pictures: DomainDataset, path: str | Path) -> None:
    """Write a picture file, pixel for pixel: classes across, domains down, as many of each."""
    across, each = len(pictures.class_names), int(pictures.counts().min())
    order = np.lexsort((pictures.labels.numpy(), pictures.domains.numpy()))
    order = order.reshape(-1, across, each).swapaxes(1, 2).ravel()  # one of each class a row
    sheet = make_grid(pictures.pictures[order], across, padding=2, pad_value=255)
    with replacing(path) as temporary:
        Image.fromarray(sheet.permute(1, 2, 0).numpy()).save(temporary)


def embed(features: Tensor, seed: int = 0) -> np.ndarray:
    """Features (N, E) as points in the plane, (N, 2), by t-SNE. Distances far apart mean little."""
    from sklearn.manifold import TSNE  # late: it takes a second

    perplexity = min(30, (len(features) - 1) / 3)
    tsne = TSNE(perplexity=perplexity, init="pca", random_state=seed)
    points: np.ndarray = tsne.fit_transform(features.cpu().numpy())
    return points


def scatter_domains(
    axes: Axes, points: np.ndarray, domains: Tensor, domain_names: Sequence[str]
) -> None:
    """Points (N, 2) in the colours and with the markers of their domains, on bare axes."""
    for number, (name, colour) in enumerate(domain_palette(domain_names).items()):
        chosen = points[domains.cpu().numpy() == number]
        axes.scatter(
            chosen[:, 0],
            chosen[:, 1],
            s=11,
            color=colour,
            marker="os^DvP*X"[number % 8],
            alpha=0.75,
            linewidths=0,
            label=name,
        )
    axes.set(xticks=[], yticks=[])
    sns.despine(ax=axes, left=True, bottom=True)


def before_after(run: Run, points: int = 800, seed: int = 0) -> Figure:
    """What a run did: examples with their predictions, the features, the accuracies.

    ``points``: at most so many features are drawn, the same ones before and after.
    """
    examples = _examples(run)
    said = [text for row in examples for _, text, _ in row] or [""]
    names = [_label(run, name) for name in run.pictures.domain_names]
    # In inches: a line of 9 points is 0.16 high, a letter of it 0.075 wide on average.
    label = 0.15 + 0.075 * columns(names)
    across = max(1, int(5.2 / (0.45 + 0.068 * columns(names))))
    keys = -(-len(names) // across) * 0.17 * lines(names)
    row = max(0.7 + 0.14 * lines(said), 0.17 * lines(names))
    widths = (label + 3 * max(0.85, 0.075 * columns(said)), 5.2, max(2.4, label + 1.4))
    height = max(4.6, 0.4 + row * len(names), 3.4 + keys)
    # Outside of the context: the first figure of a notebook turns interactive mode on, to stay.
    figure = plt.figure(figsize=(sum(widths), height), layout="constrained")
    with lettering(9):
        parts = figure.subfigures(1, 3, width_ratios=widths, wspace=0.02)
        left, middle, right = np.asarray(parts).tolist()
        _show(left, run, examples)
        _features(middle, run, points, seed, across)
        _accuracies(right, run)
    return figure


def _label(run: Run, name: str) -> str:
    gone = name in run.record["after"]["forgotten"]
    return wrapped(name) + ("\n(forget)" if gone else "")


def _examples(run: Run, count: int = 3) -> list[list[tuple[int, str, str]]]:
    """Of each domain a few pictures that were recognised before: number, answer after, colour."""
    data = run.pictures
    recognised = _predictions(run, before=True)[0] == data.labels.cpu()
    label, confidence = _predictions(run, before=False)
    found = []
    for number in range(len(data.domain_names)):
        chosen = recognised & (data.domains.cpu() == number)
        if data.style_shift is not None:
            chosen &= data.style_shift.cpu() < TYPICAL
        index = chosen.nonzero().flatten()
        index = index[:: max(1, len(index) // count)][:count]
        with torch.no_grad():
            refused = run.model.refuses(data.pictures[index]).tolist() if len(index) else []
        row = []
        for i, gone in zip(index.tolist(), refused, strict=True):
            right = int(label[i]) == int(data.labels[i])
            name = wrapped(data.class_names[int(label[i])])
            answer = f"{name} {100 * float(confidence[i]):.0f} %"
            row.append((i, "refused", REFUSED) if gone else (i, answer, RIGHT if right else WRONG))
        found.append(row)
    return found


def _show(figure: SubFigure, run: Run, examples: list[list[tuple[int, str, str]]]) -> None:
    data = run.pictures
    learned = run.model.method.name != "zero-shot"
    figure.suptitle("answers after unlearning" if learned else "answers", size=10)
    axes = figure.subplots(len(examples), max(map(len, examples)) or 1, squeeze=False)
    palette = domain_palette(data.domain_names)
    for line, row, (name, colour) in zip(axes, examples, palette.items(), strict=True):
        line[0].set_ylabel(_label(run, name), rotation=0, ha="right", va="center", labelpad=6)
        for ax in line:
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set(color=colour, linewidth=2)
        for ax, (i, answer, shade) in zip(line, row, strict=False):
            ax.imshow(data.pictures[i].cpu().permute(1, 2, 0).numpy())
            ax.set_title(answer, size=8, color=shade, pad=2)


def _predictions(run: Run, before: bool) -> tuple[Tensor, Tensor]:
    """Class and confidence of every picture: (N,) and (N,)."""
    features = run.features_before if before else run.features_after
    model = run.clip if before else run.model
    logits = class_logits(model, features, run.pictures.class_names)
    confidence, label = logits.softmax(dim=1).max(dim=1)
    return label.cpu(), confidence.cpu()


def _features(figure: SubFigure, run: Run, points: int, seed: int, across: int) -> None:
    data = run.pictures
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(data), generator=generator)[:points]
    axes = figure.subplots(1, 2)
    for ax, when, features in zip(
        axes, ("before", "after"), (run.features_before, run.features_after), strict=True
    ):
        domains = data.domains.cpu()[chosen]
        scatter_domains(ax, embed(features.cpu()[chosen], seed), domains, data.domain_names)
        measured = run.record["before" if when == "before" else "after"].get("entanglement")
        title = f"features {when}"
        if measured:
            title += f"\nsilhouette by class {measured['silhouette_class']:.2f}"
            title += f"\nby domain {measured['silhouette_domain']:.2f}"
        ax.set_title(title, size=9)
    figure.legend(
        axes[0].collections, [wrapped(name) for name in data.domain_names],
        loc="outside lower center", ncols=across, frameon=False, markerscale=2,
    )  # fmt: skip


def _accuracies(figure: SubFigure, run: Run) -> None:
    record, names = run.record, run.pictures.domain_names
    ax = figure.subplots()
    rows = np.arange(len(names))
    colours = list(domain_palette(names).values())
    before = [record["before"]["accuracy"][name] for name in names]
    after = [record["after"]["accuracy"][name] for name in names]
    ax.barh(rows, before, height=0.7, color="none", edgecolor="#777777", linewidth=1)
    ax.barh(rows, after, height=0.7, color=colours)
    for row, value in zip(rows.tolist(), after, strict=True):
        inside = value > 15  # the bar, or beside it where there is no room
        ax.text(
            value - 2 if inside else value + 2, row, f"{value:.0f}", weight="bold", va="center",
            color="white" if inside else None, ha="right" if inside else "left",
        )  # fmt: skip
    ax.set_yticks(rows, [_label(run, name) for name in names])
    ax.set(xlim=(0, 104), xticks=(0, 50, 100))
    ax.invert_yaxis()
    scores = record["after"]["metrics"]
    figure.suptitle(
        f"accuracy, % (outline: before)\nMem {scores['mem']:.0f}, For {scores['for']:.0f}, "
        f"H {scores['h']:.0f}",
        size=9,
    )
    sns.despine(ax=ax)
