"""The four domains: a mean and a spread over thirteen continuous style parameters.

Styles are continuous on purpose: a picture can be anywhere between two domains, like the pictures
that a CLIP saw on the web.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from adu_core.data.world.dice import Dice

DOMAINS = ("real", "painting", "clipart", "sketch")

# parameter: (mean, spread) for each domain, in the order of DOMAINS.
# Strengths run from 0 (absent) to 1 (full); line width and wobble are parts of half a frame.
_TABLE = {
    # how round things look: light and dark sides, highlights
    "shading": ((1.0, 0.08), (0.70, 0.12), (0.12, 0.10), (0.10, 0.05)),
    # a cast shadow on the ground
    "shadow": ((0.60, 0.12), (0.35, 0.12), (0.0, 0.06), (0.0, 0.05)),
    # a scene of ground and sky, against plain paper
    "backdrop": ((1.0, 0.05), (1.0, 0.05), (0.03, 0.03), (0.0, 0.02)),
    # dark lines around all parts
    "outline": ((0.0, 0.08), (0.25, 0.12), (1.0, 0.05), (0.90, 0.08)),
    "line_width": ((0.010, 0.004), (0.018, 0.006), (0.034, 0.007), (0.020, 0.005)),
    # coloured things, against the colour of the paper
    "fill": ((1.0, 0.03), (1.0, 0.04), (1.0, 0.03), (0.08, 0.06)),
    # pencil hatching where things are dark
    "hatching": ((0.0, 0.04), (0.05, 0.06), (0.0, 0.05), (1.0, 0.12)),
    # dabs of the brush
    "brush": ((0.0, 0.04), (1.0, 0.12), (0.0, 0.04), (0.05, 0.05)),
    # light in a few flat steps
    "posterise": ((0.0, 0.06), (0.35, 0.15), (0.95, 0.08), (0.20, 0.15)),
    "saturation": ((0.55, 0.10), (0.75, 0.10), (1.0, 0.06), (0.04, 0.05)),
    # the camera's grain
    "grain": ((0.35, 0.15), (0.12, 0.08), (0.0, 0.04), (0.10, 0.06)),
    # the tooth of paper or canvas
    "paper": ((0.0, 0.05), (0.60, 0.15), (0.02, 0.05), (0.70, 0.15)),
    # how far a shaky hand leaves the line
    "wobble": ((0.0, 0.003), (0.020, 0.008), (0.004, 0.004), (0.022, 0.006)),
}

# Parameters of each picture, (n, 1, 1) float64 each.
Style = dict[str, Tensor]

#: A domain, by number, and how far every picture's style is moved towards it, 0 to 1.
Move = tuple[int, float]


def draw_styles(
    dice: Dice,
    domains: Tensor,
    mix: float,
    move: Move | None = None,
    avoid: Sequence[int] = (),
) -> tuple[Style, Tensor]:
    """The style of each picture and how far it was moved towards another domain.

    domains:  (n,) int64, indices into ``DOMAINS``
    mix:      0 for pure domains, up to 0.5 for domains that overlap much

    Returns the style and the shift t (n,) float32, from 0 to 1: every parameter is (1 - t) times
    the picture's own plus t times the mean of another domain drawn at random, where
    t = 2·mix·U³ for a uniform U. Most pictures stay near home, a few go all the way. With ``move``
    the other domain and t are as it says. Where the other domain is one of ``avoid``, t is 0.
    """
    table = torch.tensor(list(_TABLE.values()), dtype=torch.float64).to(domains.device)
    mean, spread = table.permute(2, 1, 0)  # (domains, parameters) each
    own = mean[domains] + spread[domains] * dice.normal(len(_TABLE))
    step = (dice.uniform(1).squeeze(1) * (len(DOMAINS) - 1)).long().clamp_(max=len(DOMAINS) - 2)
    towards = (domains + 1 + step) % len(DOMAINS)
    other, shift = mean[towards], (2 * mix * dice.uniform(1).squeeze(1) ** 3).clamp_(0, 1)
    for domain in avoid:
        shift = shift.masked_fill(towards == domain, 0)
    if move is not None:  # the same chance is used up, so that the rest of a picture stays
        other, shift = mean[move[0]].expand_as(own), torch.full_like(shift, move[1])
    values = own.clamp_(min=0).lerp_(other, shift.unsqueeze(1))
    style = dict(zip(_TABLE, values[..., None, None].unbind(1), strict=True))
    return style, shift.float()
