"""Which directions to remove, and removing them from features (nullspace unlearning)."""

from __future__ import annotations

import torch
from torch import Tensor


def class_basis(banks: Tensor, gone: Tensor, protect: float) -> Tensor:
    """U, orthonormal: what the classes to forget have and the kept ones have not [choice].

    U spans (S + λI)⁻¹ (t_c - m) for each forgotten class c and each bank: t_c is its prototype, m
    the mean of the kept ones in the same bank, S = (1/n) Σ t tᵀ over all n kept prototypes, and λ
    is ``protect``. Without m, U would spend itself on what all sentences share and forget less.
    S turns U away from directions that kept classes use: λ → ∞ turns it nowhere, and for λ → 0 it
    is orthogonal to all kept prototypes, if anything of the forgotten ones is.

    banks (P, C, E): prototypes of length 1, of P sources (sentences, pictures), in float64
    gone (C,) bool: which classes to forget; at least one, and not all
    → (E, min(E, P · forgotten classes)); directions that are there twice leave columns of zeros
    """
    kept = banks[:, ~gone]
    apart = (banks[:, gone] - kept.mean(dim=1, keepdim=True)).flatten(0, 1)
    kept = kept.flatten(0, 1)
    energy = kept.T @ kept / len(kept)
    turned = torch.linalg.solve(energy + protect * torch.eye(len(energy)).to(energy), apart.T)
    U, sizes, _ = torch.linalg.svd(turned, full_matrices=False)
    basis: Tensor = U * (sizes > (1e-4 * sizes[0]).clamp(min=1e-6))
    return basis


def project(features: Tensor, basis: Tensor, alpha: float) -> Tensor:
    """Take the share α of some directions out: x (I - α U Uᵀ) (arXiv 2512.14113).

    Applied to the rows of the CLIP's final projection W (width, E) it is W ← W (I - α U Uᵀ).

    features (B, E), basis (E, k) with columns orthonormal or zero → (B, E), not of length 1
    """
    return features - alpha * (features @ basis) @ basis.T
