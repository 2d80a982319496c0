"""Nullspace unlearning: what is to be forgotten is projected out of the final features.

After "nullspace unlearning in CLIP", arXiv 2512.14113: no gradient step, only names. An
orthonormal basis U of what is to be forgotten, made of text embeddings and of synthesised
pictures, changes the final projection W to W (I - α U Uᵀ). The paper's exact formula and its
recipe for pictures were not available to us: our own choices are marked [choice].

What is to be forgotten is a set of cells, pairs of a class and a domain: a class in all domains, a
class in some of them, or all classes in some domains.

With α < 1, the map forgets classes in part, from about 0.8 on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from adu_core.clip import Trace
from adu_core.loop import Loop
from adu_core.precision import exact
from adu_core.rivals.inversion import invert
from adu_core.rivals.text_gate import style_sentences
from adu_core.settings import setting
from adu_core.task import Method, Model, Task


@dataclass(frozen=True)
class Nullspace(Method):
    """A projection of the final features, in closed form from names (arXiv 2512.14113).

    One linear map for all pictures. It forgets classes well, and classes in one domain in part. A
    whole domain is not forgotten or, with a larger ``protect``, forgotten in all domains alike.
    """

    protect: float = setting(
        0.3,
        "larger: forgets more; smaller: spares the kept cells more [choice]",
        above=0,
        most=1000,
        search=(0.001, 0.01, 0.03, 0.1, 0.3, 1.0, 10.0),
    )
    alpha: float = setting(
        1.0,
        "share of the forgotten directions that is taken out",
        least=0,
        most=1,
        search=(0.5, 0.8, 0.9, 0.95, 1.0),
    )
    prototypes: Literal["text", "inverted"] = setting(
        "text",
        "sentences alone, or one synthesised picture of each cell as well",
        search=("text", "inverted"),
    )
    inversion_steps: int = setting(
        40, "steps to synthesise a picture [choice]", least=1, most=10_000
    )

    name = "nullspace"
    summary = "forgotten directions projected out of the features"
    source = "arXiv 2512.14113"
    changes = "features"
    undo = "leave the map out; below α = 1 also by its inverse"
    needs = "no pictures: names only"
    trained = False

    def start(self, task: Task, seed: int = 0) -> Projected:
        """The model with the map that sentences alone give: names are all it takes."""
        return Projected(task, self).to(task.clip.device)

    def fit(self, task: Task, seed: int = 0, run: Loop | None = None) -> Projected:
        """The model with its map; ``seed`` draws the synthesised pictures, if there are any."""
        model = self.start(task)
        if self.prototypes == "inverted":
            sentences, gone = cells(task)
            pictures = invert(task.clip, sentences, self.inversion_steps, seed)
            with torch.no_grad():
                seen = task.clip.encode_image(pictures)
            model.take(torch.stack([sentences, seen]), gone)
        return model.eval()


class Projected(Model):
    """A frozen CLIP whose features lack some directions.

    basis: (E, k), columns orthonormal or zero
    """

    basis: Tensor

    def __init__(self, task: Task, method: Nullspace) -> None:
        super().__init__(task, method)
        self.alpha, self.protect = method.alpha, method.protect
        sentences, gone = cells(task)
        banks = 2 if method.prototypes == "inverted" else 1
        self.register_buffer("basis", torch.empty(0))
        self.take(sentences.expand(banks, -1, -1), gone)  # pictures are not there yet

    def take(self, banks: Tensor, gone: Tensor) -> None:
        """Make the map that takes out the cells ``gone``; as in ``class_basis``."""
        basis = class_basis(banks.detach().cpu().double(), gone, self.protect)
        self.basis = basis.to(banks)

    def features(self, pictures: Tensor, trace: Trace | None = None) -> Tensor:
        """Mapped features: (B, 3, S, S) → (B, feature_size), of length 1."""
        return self.mapped(super().features(pictures, trace))

    def mapped(self, features: Tensor) -> Tensor:
        """Frozen features (B, E) → (B, E), of length 1."""
        with exact(features.device):
            return F.normalize(project(features, self.basis, self.alpha), dim=-1)


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


def cells(task: Task) -> tuple[Tensor, Tensor]:
    """What there is to take out and to keep: sentences (N, E), and which are to be forgotten (N,).

    "a photo of a {class}" for each class where classes are forgotten in all domains; otherwise
    "a {style} of a {class}" for each domain and class [choice].
    """
    classes, domains = task.shots.class_names, task.shots.domain_names
    gone = torch.tensor([name in (task.target.classes or classes) for name in classes])
    if set(task.target.domains) in (set(), set(domains)):
        with torch.no_grad():
            return task.clip.class_features(classes), gone
    here = torch.tensor([name in task.target.domains for name in domains])
    return style_sentences(task).flatten(0, 1), (here[:, None] & gone).flatten()
