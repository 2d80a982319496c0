"""Numbers and tables as the text that a page shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from adu_core.runs.fronts import half_width


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Markdown; the first column is text, all others are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def number(value: float | None, half: float | None = None, digits: int = 1) -> str:
    """One number, with the half-width of its interval if one is given; – for what there is not."""
    if value is None or value != value:
        return "–"
    said = f"{value:.{digits}f}"
    return said if half is None else f"{said} ± {half_width(half, digits)}"
