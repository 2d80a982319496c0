"""Means of records as a figure: one setting on the axis, a line for each combination of others."""

from __future__ import annotations

import math
from collections.abc import Sequence

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pandas.api.types import is_numeric_dtype

SHOWN = {"mem": "Mem", "for": "For", "h": "H", "selectivity": "selectivity"}
MARKS = "osv^Dp*X<>"


def report_figure(means: pd.DataFrame, by: Sequence[str]) -> Figure:
    """Mem, For, H and selectivity, with their intervals, in percent.

    means: as ``runs.records.summary`` gives them
    by:    its keys. The last one that is a number and varies goes along the axis, on a logarithmic
           one where that suits it; each combination of the others is a line, or a row of dots
           where no key is such a number
    """
    along = next((name for name in reversed(by) if _varies(means[name])), None)
    others = [name for name in by if name != along]
    means = means.sort_values(list(by), kind="stable")
    with mpl.rc_context({"font.family": "DejaVu Sans", "font.size": 9}):
        if along is None:
            return _dots(means, others)
        figure, axes = plt.subplots(1, 4, figsize=(12, 3.2), layout="constrained")
        for part, (result, label) in zip(axes, SHOWN.items(), strict=True):
            _lines(part, means, result, along, others)
            part.set(xlabel=along, title=label)
        axes[0].set_ylabel("%")
        handles, names = axes[0].get_legend_handles_labels()
        if names != [""]:
            figure.legend(
                handles,
                names,
                title=", ".join(others),
                loc="outside right upper",
                frameon=False,
            )
    return figure


def _varies(values: pd.Series) -> bool:
    return bool(is_numeric_dtype(values)) and values.dtype != bool and values.nunique() > 1


def _lines(axes: Axes, means: pd.DataFrame, result: str, along: str, others: list[str]) -> None:
    groups = means.groupby(others, sort=False, dropna=False) if others else [((), means)]
    colours = sns.color_palette("colorblind", len(MARKS))
    for number, (names, group) in enumerate(groups):
        line = group.sort_values(along)
        axes.errorbar(
            line[along],
            line[result],
            yerr=line[f"{result} ±"].fillna(0),
            marker=MARKS[number % len(MARKS)],
            color=colours[number % len(MARKS)],
            markersize=4,
            linewidth=1,
            capsize=2,
            label=_name(names),
        )
    values = means[along].dropna()
    if values.min() > 0 and values.max() / values.min() >= 8:
        axes.set_xscale("log", base=2)
        axes.set_xticks(sorted(set(values)), [f"{value:g}" for value in sorted(set(values))])
        axes.minorticks_off()
    axes.spines[["top", "right"]].set_visible(False)


def _dots(means: pd.DataFrame, others: list[str]) -> Figure:
    """A row for each combination, a column for each result."""
    names = [_name(tuple(row)) for row in means[others].itertuples(index=False)]
    figure, axes = plt.subplots(
        1, 4, figsize=(12, 0.8 + 0.28 * len(names)), sharey=True, layout="constrained"
    )
    for part, (result, label) in zip(axes, SHOWN.items(), strict=True):
        part.errorbar(
            means[result], range(len(names)), xerr=means[f"{result} ±"].fillna(0), fmt="o",
            markersize=4, color="#333333", capsize=2,
        )  # fmt: skip
        part.set(title=label, xlabel="%")
        part.grid(axis="y", color="#dddddd")
        part.spines[["top", "right", "left"]].set_visible(False)
        part.tick_params(axis="y", length=0)
    axes[0].set_yticks(range(len(names)), names)
    axes[0].invert_yaxis()
    return figure


def _name(keys: tuple[object, ...]) -> str:
    """What a line is called: its keys, numbers without needless zeros."""
    return ", ".join(
        f"{key:g}" if isinstance(key, float) and math.isfinite(key) else str(key) for key in keys
    )
