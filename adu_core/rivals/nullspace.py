"""Nullspace unlearning: what is to be forgotten is projected out of the final features.

After "nullspace unlearning in CLIP", arXiv 2512.14113: no training, no pictures, only names. An
orthonormal basis U of what is to be forgotten, made of text embeddings and of pictures that are
synthesised, changes the final projection W to W (I - α U Uᵀ). The paper's exact formula and its
recipe for pictures were not at hand: what is our own choice is marked [choice].

Classes everywhere are one linear map. For domains, and classes in some, a linear map of the final
feature takes out the style and leaves the class, or takes the class from pictures of all styles:
there only pictures that the zero-shot CLIP takes for a forgotten domain are mapped [choice].

A part α < 1 of the map does part of the work for classes, from 0.8 or so on. A whole domain wants
an α near 1 (on the drawn world 0.95 hardly acts, 0.99 does most of it): a smaller one makes all
differences between classes smaller alike and changes hardly any answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from adu_core.clip import FrozenCLIP, Trace
from adu_core.data.captioning import STYLE_WORDS
from adu_core.loop import Loop
from adu_core.precision import exact
from adu_core.rivals.inversion import invert
from adu_core.rivals.projection import class_basis, project
from adu_core.settings import setting
from adu_core.task import Method, Model, Task

#: A share must exceed the threshold by this much: equal sentences give shares equal but for
#: rounding, and rounding must not decide [choice].
MARGIN = 1e-4


@dataclass(frozen=True)
class Nullspace(Method):
    """A projection of the final features, in closed form from names (arXiv 2512.14113).

    On validation pictures of the drawn world synthesised pictures did no better than sentences
    alone, and they take seconds or more: ``prototypes`` is "text" by default. A whole domain is
    forgotten with sentences only: its map keeps one direction, whatever the pictures. ``alpha`` is
    how much is asked for, not how well it is done: no search draws it.
    """

    protect: float = setting(
        0.3,
        "larger: forgets more; smaller: spares the kept classes more [choice]",
        above=0,
        most=1000,
        search=(0.1, 0.3, 1.0, 3.0),
    )
    alpha: float = setting(
        1.0, "share of the forgotten directions that is taken out", least=0, most=1
    )
    threshold: float = setting(
        0.0,
        "map pictures whose share of forgotten domains is larger; 0: forgotten / all [choice]",
        least=0,
        most=1,
        search=(0.0, 0.1, 0.2, 0.35, 0.5),
    )
    prototypes: Literal["text", "inverted"] = setting(
        "text", "sentences alone, or one synthesised picture of each class as well"
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
        if self.prototypes == "inverted" and not model.whole:
            sentences = model.class_features()
            pictures = invert(task.clip, sentences, self.inversion_steps, seed)
            with torch.no_grad():
                seen = task.clip.encode_image(pictures)
            model.take(torch.stack([sentences, seen]))
        return model.eval()


class Projected(Model):
    """A frozen CLIP whose features are mapped: all of them, or those of some domains only.

    basis:  (E, k) orthonormal columns, or zeros beside them; what is taken out of a feature or,
            where ``whole`` domains are forgotten, the one direction that stays
    styles: (D, C, E), "a {style} of a {class}" by the text tower, where the map has a condition.
            Made from names, so it is no part of what is saved
    """

    basis: Tensor
    styles: Tensor | None

    def __init__(self, task: Task, method: Nullspace) -> None:
        super().__init__(task, method)
        self.settings = method
        domains = self.target.domains
        self.whole = len(self.target.classes) in (0, len(self.class_names))
        self.chosen = [self.domain_names.index(name) for name in domains]
        sentences = self._class_features
        self.register_buffer("basis", torch.empty(0))
        if self.whole:
            self.basis = F.normalize(sentences.mean(0), dim=0)[:, None]
        else:  # pictures are not there yet: sentences hold their place
            banks = 2 if method.prototypes == "inverted" else 1
            self.take(sentences.expand(banks, -1, -1))
        conditional = 0 < len(domains) < len(self.domain_names)
        styles = style_sentences(task) if conditional else None
        self.register_buffer("styles", styles, persistent=False)

    def take(self, banks: Tensor) -> None:
        """Make the map that takes out the classes to forget; banks as in ``class_basis``."""
        gone = torch.tensor([name in self.target.classes for name in self.class_names])
        basis = class_basis(banks.detach().cpu().double(), gone, self.settings.protect)
        self.basis = basis.to(banks)

    def features(self, pictures: Tensor, trace: Trace | None = None) -> Tensor:
        """Mapped features: (B, 3, S, S) → (B, feature_size), of length 1.

        Those of pictures that do not meet the condition are the frozen CLIP's, bit for bit.
        """
        x = super().features(pictures, trace)
        with exact(x.device):
            return torch.where(self.meets(x)[:, None], self.mapped(x), x)

    @property
    def blanks(self) -> bool:
        """Whether the map leaves one feature, the same for all that it is applied to."""
        return self.whole and self.settings.alpha == 1

    def refuses(self, pictures: Tensor) -> Tensor:
        """Those of which nothing is left: (B, 3, S, S) → (B,) bool."""
        if not self.blanks:
            return super().refuses(pictures)
        x = super().features(pictures)
        with exact(x.device):
            return self.meets(x)

    def mapped(self, features: Tensor) -> Tensor:
        """Frozen features (B, E) → (B, E), of length 1: the map, without its condition.

        Of a whole domain nothing but a sign is left at α = 1. As even that can tell a class, it is
        taken to be positive [choice]: all mapped pictures have the same feature, bit for bit.
        """
        if self.blanks:
            return self.basis.T.expand_as(features)
        mapped = project(features, self.basis, self.settings.alpha, onto=self.whole)
        return F.normalize(mapped, dim=-1)

    def meets(self, features: Tensor) -> Tensor:
        """Frozen features (B, E) → (B,) bool: which are mapped; all, if there is no condition."""
        if self.styles is None:
            return torch.ones(len(features), dtype=torch.bool, device=features.device)
        prior = len(self.chosen) / len(self.domain_names)
        found = share(self.clip, features, self.styles, self.chosen)
        return found > (self.settings.threshold or prior) + MARGIN


def style_sentences(task: Task) -> Tensor:
    """(D, C, E), of length 1: "a {style} of a {class}" for each domain and class of the task.

    The words for a style are those of captions (``STYLE_WORDS``), or the domain's name [choice].
    """
    classes, domains = task.shots.class_names, task.shots.domain_names
    words = [STYLE_WORDS.get(name, name) for name in domains]
    with torch.no_grad():
        return torch.stack(
            [task.clip.encode_text([f"a {word} of a {name}" for name in classes]) for word in words]
        )


def share(clip: FrozenCLIP, features: Tensor, styles: Tensor, chosen: list[int]) -> Tensor:
    """How much the zero-shot CLIP takes a picture for one of the domains ``chosen`` [choice].

    The softmax over all sentences of styles and classes; classes are summed out, domains added.
    features (B, E) and styles (D, C, E), of length 1 → (B,), 0 to 1
    """
    logits = clip.similarity(features, styles.flatten(0, 1))  # (B, D · C)
    by_domain = logits.softmax(1).view(len(features), *styles.shape[:2]).sum(2)  # (B, D)
    return by_domain[:, chosen].sum(1)
