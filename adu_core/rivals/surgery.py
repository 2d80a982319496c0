"""Gradient surgery: forgetting that does not work against memorizing."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def without_conflict(forget: Tensor, memorize: Tensor) -> Tensor:
    """``forget`` without its part against ``memorize``; unchanged if the two are not in conflict.

    Where the dot product is negative, the projection of ``forget`` on ``memorize`` is taken out:
    what remains is orthogonal to it (DoCo's concept-preserving gradient, arXiv 2405.15304; the
    idea is that of PCGrad, Yu et al., NeurIPS 2020). Both (n,) → (n,).
    """
    dot = forget @ memorize
    share = torch.where(dot < 0, dot / memorize.square().sum().clamp(min=1e-30), 0.0)
    return forget - share * memorize


def project_conflict(memorize: Tensor, forget: Tensor, learned: list[nn.Parameter]) -> None:
    """Put the gradient of ``memorize`` + ``forget`` at ``learned``, conflict-free.

    The two losses are scalars; all parameters together are one vector.
    """
    kept = _gradient(memorize, learned, keep_graph=True)
    gone = _gradient(forget, learned, keep_graph=False)
    whole = kept + without_conflict(gone, kept)
    sizes = [parameter.numel() for parameter in learned]
    for parameter, part in zip(learned, whole.split(sizes), strict=True):
        parameter.grad = part.view_as(parameter)


def _gradient(loss: Tensor, learned: list[nn.Parameter], keep_graph: bool) -> Tensor:
    parts = torch.autograd.grad(loss, learned, retain_graph=keep_graph, materialize_grads=True)
    return torch.cat([part.flatten() for part in parts])
