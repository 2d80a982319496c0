"""SLUG: one gradient pass, one layer, one step."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from adu_core.clip import FrozenCLIP
from adu_core.dataset import DomainDataset
from adu_core.loop import Loop, batch_indices
from adu_core.measure import harmonic_mean, predictions
from adu_core.rivals.edited import (
    EditedCLIP,
    block_weights,
    gradient,
    towards_class,
    towards_uniform,
)
from adu_core.settings import setting
from adu_core.task import Method, Task

#: The shortest step that is tried, as a share of the longest.
SHORTEST = 2.0**-12

#: How often the step is halved, in logarithms: 12 octaves become a fifth of one.
HALVINGS = 6


class Layer(NamedTuple):
    """What SLUG computes for one weight matrix.

    importance: |g_f| / |W|, how much it matters for forgetting
    alignment:  |cos(g_f, g_r)|, how much a forgetting step changes what is retained
    """

    name: str
    importance: float
    alignment: float


@dataclass(frozen=True)
class SLUG(Method):
    """Single Layer Unlearning Gradient (Cai et al., ICML 2025, arXiv 2407.11867).

    The gradients g_f of the forget loss and g_r of the retain loss are taken once, over all shots.
    The layers that no other beats in both importance |g_f| / |W| and small |cos(g_f, g_r)| are the
    Pareto front. One of them takes one step against g_f, whose length is found by bisection.

    [choice] The layers are the matrices of attention and MLP in the vision tower's blocks: steps in
    patch embedding and projection ruined the CLIP on validation pictures. Lengths are shares of
    |W|. The step is the longest one after which a share ``keep`` of the retained shots that were
    classified correctly still are. The ``layers`` most important ones of the front are tried, and
    the one with the best H on the shots is taken. g_f is that of ADU's L_forget, cross-entropy to
    uniform: the gradient of cross-entropy to the classes almost vanishes where the CLIP is sure.
    """

    keep: float = setting(
        0.7,
        "of the retained shots' accuracy",
        above=0,
        most=1,
        search=(0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98),
    )
    layers: int = setting(
        3, "of the front that are tried", least=1, most=10_000, search=(1, 2, 3, 6, 12)
    )
    longest: float = setting(2.0, "step that is tried, a share of the layer's length", above=0)
    judged: int = setting(48, "shots of each side that judge a step", least=1, most=1_000_000)

    name = "slug"
    summary = "one gradient step on one layer"
    source = "Cai et al., ICML 2025"
    changes = "weights"
    undo = "put the one layer's weights back"
    trained = False

    def start(self, task: Task, seed: int = 0) -> EditedCLIP:
        """The frozen CLIP; any matrix of its vision blocks may change."""
        return EditedCLIP(task, self, block_matrices(task.clip))

    def fit(self, task: Task, seed: int = 0, run: Loop | None = None) -> EditedCLIP:
        """Take both gradients, choose the layer, bisect its step. ``seed`` draws the judges."""
        model, gone = self.start(task, seed), task.forgotten.cpu()
        frozen, weights = model.frozen_weights(), model.named_weights()
        forget = gradient(model, task, gone, towards_uniform)
        retain = gradient(model, task, ~gone, towards_class)
        kept, lost = (_judges(task.shots, side, self.judged, seed) for side in (~gone, gone))
        least = self.keep * _right(model, kept)

        def take(step: float, name: str) -> None:
            weights[name].data.copy_(step_along(frozen[name], forget[name], step))

        def holds(step: float) -> bool:
            take(step, layer.name)
            return _right(model, kept) >= least

        tried: list[tuple[float, float, str]] = []
        for layer in pareto_front(measured(frozen, forget, retain))[: self.layers]:
            step = longest_step(holds, self.longest)
            take(step, layer.name)
            h = harmonic_mean(_right(model, kept), 1 - _right(model, lost))
            tried.append((h, step, layer.name))
            take(0.0, layer.name)
        take(*max(tried, key=lambda each: each[0])[1:])  # the more important one of equals
        return model.eval()


def block_matrices(clip: FrozenCLIP) -> tuple[str, ...]:
    """The names of the matrices of attention and MLP in the vision tower's blocks."""
    sizes = {name: weight.ndim for name, weight in clip.model.named_parameters()}
    return tuple(name for name in block_weights(clip) if sizes[name] >= 2)


def measured(
    weights: Mapping[str, Tensor], forget: Mapping[str, Tensor], retain: Mapping[str, Tensor]
) -> list[Layer]:
    """Importance and alignment of each layer, from its weights and its two gradients."""

    def layer(name: str) -> Layer:
        importance = forget[name].norm() / weights[name].norm().clamp(min=1e-30)
        alignment = F.cosine_similarity(forget[name].flatten(), retain[name].flatten(), dim=0)
        return Layer(name, float(importance), abs(float(alignment)))

    return [layer(name) for name in weights]


def pareto_front(layers: Sequence[Layer]) -> list[Layer]:
    """The layers that no other beats, the most important first.

    A layer is beaten by one at least as important and at most as aligned that is better in one of
    the two.
    """
    front: list[Layer] = []
    for layer in sorted(layers, key=lambda layer: (-layer.importance, layer.alignment)):
        if not front or layer.alignment < front[-1].alignment or layer[1:] == front[-1][1:]:
            front.append(layer)
    return front


def longest_step(holds: Callable[[float], bool], longest: float) -> float:
    """The longest step, up to ``longest``, at which ``holds`` is still true, if it is monotone.

    Bisected in logarithms between ``SHORTEST`` · ``longest`` and ``longest``, to a fifth of an
    octave from below; 0 if it never holds.
    """
    if holds(longest):
        return longest
    low, high, found = math.log2(longest * SHORTEST), math.log2(longest), 0.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if holds(2.0**middle):
            low, found = middle, 2.0**middle
        else:
            high = middle
    return found


def step_along(weight: Tensor, gradient: Tensor, step: float) -> Tensor:
    """``weight`` moved against ``gradient`` by ``step`` times its own length, of any shape."""
    length: Tensor = weight.norm() / gradient.norm().clamp(min=1e-30)
    return weight - step * length * gradient


@torch.no_grad()
def _right(model: EditedCLIP, shots: DomainDataset) -> float:
    """The share of the shots that are answered correctly."""
    return float((predictions(model, shots) == shots.labels.cpu()).double().mean())


def _judges(shots: DomainDataset, side: Tensor, count: int, seed: int) -> DomainDataset:
    """Up to ``count`` of the shots of one side (N,) bool, in equal parts by domain."""
    shots = shots.subset(side)
    generator = torch.Generator().manual_seed(seed)
    return shots.subset(next(batch_indices(shots.domains.cpu(), count, generator)))
