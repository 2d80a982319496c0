"""The picture of the README and the front page, for light pages and for dark ones.

Run: python book/before_after.py (`make figures` does)
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt

from adu_core import Spec, Target, figures, method
from adu_core.pages.dark import darkened
from adu_core.runs.run_spec import run

STATIC = Path(__file__).parent / "static"


def main() -> None:
    """What `adu run` does without another word, drawn twice."""
    done = run(Spec(method("full", "mini"), Target(("sketch",))))
    figure = figures.before_after(done)
    figure.savefig(STATIC / "before_after.png", dpi=144, facecolor="white")
    with darkened(figure):
        figure.savefig(STATIC / "before_after-dark.png", dpi=144, transparent=True)
    plt.close(figure)


if __name__ == "__main__":
    main()
