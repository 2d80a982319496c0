"""Do runs that move the domains further apart forget more? Over runs, not over causes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

#: Resamplings of an interval.
RESAMPLED = 2000


def associations(
    table: pd.DataFrame,
    measures: Iterable[str] = ("mmd2.after", "silhouette_domain.after"),
    results: Iterable[str] = ("for", "selectivity"),
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
    rows = []
    for result in results:
        for measure in measures:
            unknown = [name for name in (result, measure) if name not in table]
            if unknown:
                raise ValueError(
                    f"no column {unknown[0]!r}: there are {', '.join(map(str, table.columns))}"
                )
            both = table[["forget", result, measure]].dropna()
            inside = both[[result, measure]] - both.groupby("forget")[[result, measure]].transform(
                "mean"
            )
            values = inside.to_numpy(dtype=float)
            generator = np.random.default_rng(seed)
            again = [
                _rho(values[generator.integers(0, len(values), len(values))])
                for _ in range(RESAMPLED if len(values) >= 3 else 0)
            ]
            known = [rho for rho in again if rho == rho]
            low, high = np.percentile(known, [2.5, 97.5]) if known else (np.nan, np.nan)
            rows.append(
                {
                    "result": result,
                    "measure": measure,
                    "rho": _rho(values),
                    "low": float(low),
                    "high": float(high),
                    "runs": len(values),
                }
            )
    return pd.DataFrame(rows)


def _rho(values: np.ndarray) -> float:
    """Spearman's ρ of two columns (N, 2); NaN where it is none."""
    if len(values) < 3 or (values.std(axis=0) == 0).any():
        return float("nan")
    return float(spearmanr(values[:, 0], values[:, 1]).statistic)
