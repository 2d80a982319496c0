"""The before/after explorer: pictures as points, a slider through training."""

from __future__ import annotations

import numpy as np
from PIL import Image

from adu_core.pages.page import Piece, data_url, piece
from adu_core.pages.timeline import Timeline
from adu_core.show.figures import DOMAIN_COLOURS

COLUMNS = 20
MARGIN = 25  # of the plot's 1000 units, on each side


def explorer(timeline: Timeline, points: np.ndarray | None = None) -> Piece:
    """An explorer of a timeline: it works on a static page and in a notebook.

    Some hundred pictures are best: each is embedded in the page, and each is a point to aim at.
    ``points`` is the layout, (frames, N, 2), by default ``timeline.embed()``.
    Raises ``ValueError`` for fewer than 21 pictures.
    """
    data = timeline.pictures
    if len(data) <= COLUMNS:
        raise ValueError(f"an explorer needs more than {COLUMNS} pictures, not {len(data)}")
    points = timeline.embed() if points is None else points
    low, high = points.min(axis=(0, 1)), points.max(axis=(0, 1))
    places = MARGIN + (points - low) / (high - low) * (1000 - 2 * MARGIN)
    places[..., 1] = 1000 - places[..., 1]  # a page counts downwards, a figure upwards
    names = ["before", *(f"epoch {epoch}" for epoch in timeline.epochs[1:])]
    return piece(
        "explorer",
        {
            "names": names,
            "points": places.round().astype(int).tolist(),
            "labels": data.labels.tolist(),
            "domains": data.domains.tolist(),
            "class_names": data.class_names,
            "domain_names": data.domain_names,
            "forget": timeline.forget,
            "predicted": [labels.tolist() for labels in timeline.labels],
            "confidence": [(c * 100).round().int().tolist() for c in timeline.confidence],
            "colours": [
                DOMAIN_COLOURS[d % len(DOMAIN_COLOURS)] for d in range(len(data.domain_names))
            ],
            "sprite": data_url(_sprite(timeline), quality=80),
            "columns": COLUMNS,
            "lines": -(-len(data) // COLUMNS),
        },
        label=f"Explorer: {len(data)} pictures before and after forgetting "
        f"{', '.join(timeline.forget)}",
    )


def _sprite(timeline: Timeline, side: int = 60) -> Image.Image:
    """All pictures in one, ``COLUMNS`` in a row."""
    pictures = timeline.pictures.pictures.cpu().permute(0, 2, 3, 1).numpy()
    lines = -(-len(pictures) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * side, lines * side))
    for i, picture in enumerate(pictures):
        small = Image.fromarray(picture).resize((side, side))
        sheet.paste(small, ((i % COLUMNS) * side, (i // COLUMNS) * side))
    return sheet
