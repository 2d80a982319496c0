"""Do runs that move the domains further apart forget more? Correlations, not causes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import pandas as pd
from scipy.stats import bootstrap, spearmanr

NAN = float("nan")
#: Resamplings of an interval.
RESAMPLED = 2000


def associations(
    table: pd.DataFrame,
    measures: Sequence[str] = ("mmd2.after", "silhouette_domain.after"),
    results: Sequence[str] = ("for", "selectivity"),
    seed: int = 0,
) -> pd.DataFrame:
    """Spearman's ρ of each result with each measure over runs, inside of each forgotten domain.

    The mean of each forgotten domain is taken out of both first: some domains are both nearer to
    the others and harder to forget, which says nothing of one run against another. "low" and
    "high" bound a 95 % bootstrap interval over runs. One row for each result and measure, with the
    number of ``runs`` that have both; NaN where fewer than three do or nothing varies. Raises
    ``ValueError`` for a column that is not there.

    An association is no cause: compare it with what interventions on the same measure do.
    """
    unknown = [name for name in (*results, *measures) if name not in table]
    if unknown:
        columns = ", ".join(map(str, table.columns))
        raise ValueError(f"no column {unknown[0]!r}: there are {columns}")
    rows = []
    for result, measure in product(results, measures):
        both = table[["forget", result, measure]].dropna().set_index("forget").astype(float)
        inside = (both - both.groupby(level=0).transform("mean")).to_numpy().T
        rho, low, high = _rho(*inside), NAN, NAN
        if rho == rho:
            again = bootstrap(
                inside,
                _rho,
                paired=True,
                vectorized=False,
                n_resamples=RESAMPLED,
                batch=1,
                method="percentile",
                rng=np.random.default_rng(seed),
            )
            low, high = map(float, again.confidence_interval)
        row = {"result": result, "measure": measure, "rho": rho, "low": low, "high": high}
        rows.append(row | {"runs": len(both)})
    return pd.DataFrame(rows)


def _rho(x: np.ndarray, y: np.ndarray) -> float:
    """Spearman's ρ of two columns (N,); NaN where it is none."""
    if len(x) < 3 or not x.std() or not y.std():
        return NAN
    return float(spearmanr(x, y).statistic)
