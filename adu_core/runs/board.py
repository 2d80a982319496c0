"""How far a sweep is: a live table on a terminal, a line a run in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from adu_core.runs.spec import Spec


class Board:
    """Counts the runs of a sweep by method; a context manager, on stderr.

    work:  all runs of the sweep
    there: those whose records were there already
    """

    def __init__(
        self, work: Sequence[Spec], there: Sequence[Spec], label: str, show: bool = True
    ) -> None:
        names = dict.fromkeys(spec.method.name for spec in work)
        self.label, self.show = label, show
        self.total = {name: sum(spec.method.name == name for spec in work) for name in names}
        self.there = {name: sum(spec.method.name == name for spec in there) for name in names}
        self.failed = dict.fromkeys(names, 0)
        self.found: dict[str, list[float]] = {name: [] for name in names}
        self.started = time.perf_counter()
        self.console = Console(file=sys.stderr)
        self.live = Live(console=self.console, auto_refresh=False)

    def __enter__(self) -> Self:
        if self.show and self.console.is_terminal:
            self.live.start()
            self._refresh()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.live.is_started:
            self.live.stop()

    def done(self, spec: Spec, metrics: Mapping[str, float]) -> None:
        """A run is done; its metrics after unlearning."""
        self.found[spec.method.name].append(metrics["h"])
        self._refresh(f"{spec.name}: H {metrics['h']:.1f}")

    def fail(self, spec: Spec, error: str) -> None:
        """A run failed."""
        self.failed[spec.method.name] += 1
        self._refresh(f"{spec.name} failed: {error}")

    def table(self) -> Table:
        """The state as a table, a row a method."""
        table = Table(title=self._left(), title_justify="left", box=None, padding=(0, 2, 0, 0))
        for column in ("method", "runs", "there before", "done", "failed", "mean H of these"):
            table.add_column(column, justify="left" if column == "method" else "right")
        for name, total in self.total.items():
            measured = [h for h in self.found[name] if h == h]
            mean = f"{sum(measured) / len(measured):.1f}" if measured else "–"
            cells = (total, self.there[name], len(self.found[name]), self.failed[name], mean)
            table.add_row(name, *map(str, cells))
        return table

    def _left(self) -> str:
        """How many are done, and when the rest will be, by the pace so far."""
        done = sum(map(len, self.found.values())) + sum(self.failed.values())
        wanted = sum(self.total.values()) - sum(self.there.values())
        said = f"{self.label}: {done} of {wanted}"
        if 0 < done < wanted:
            seconds = (time.perf_counter() - self.started) / done * (wanted - done)
            said += f", about {said_time(seconds)} left"
        return said

    def _refresh(self, line: str = "") -> None:
        if self.live.is_started:
            self.live.update(self.table(), refresh=True)
        elif self.show and line:
            print(f"{self._left()} | {line}", file=sys.stderr)


def said_time(seconds: float) -> str:
    """A duration in the largest unit that gives a number worth saying."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
