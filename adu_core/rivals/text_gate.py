"""The text gate: sentences about styles decide which pictures are refused; it needs no shots."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from adu_core.clip import FrozenCLIP
from adu_core.data.captioning import STYLE_WORDS
from adu_core.loop import Loop
from adu_core.rivals.gated import Blanking
from adu_core.settings import setting
from adu_core.task import Method, Task

#: A share must exceed the threshold by this much: equal sentences give shares equal but for
#: rounding, and rounding must not decide [choice].
MARGIN = 1e-4


@dataclass(frozen=True)
class TextGate(Method):
    """A gate without training pictures: it uses the zero-shot CLIP's guess of the style.

    A picture is refused if the sentences "a {style} of a {class}" of the forgotten domains have
    more than their share of the probability. It needs a CLIP that knows the words for the styles.
    """

    threshold: float = setting(
        0.0,
        "refuse pictures whose share of forgotten domains is larger; 0: forgotten / all [choice]",
        least=0,
        most=0.99,
        search=(0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9),
    )

    name = "text-gate"
    summary = "sentences about styles tell the domain; stopped pictures are refused"
    source = "this book"
    changes = "nothing"
    undo = "take the gate off"
    needs = "no pictures: names only"
    trained = False

    def start(self, task: Task, seed: int = 0) -> TextGated:
        """The gate: names are all it takes."""
        return TextGated(task, self).to(task.clip.device)

    def fit(self, task: Task, seed: int = 0, run: Loop | None = None) -> TextGated:
        """The same; nothing is drawn."""
        return self.start(task).eval()


class TextGated(Blanking):
    """The frozen CLIP with a gate that compares features and sentences.

    styles: (D, C, E), "a {style} of a {class}" by the text tower, where domains are to be
            forgotten. Made from names, so it is not saved
    """

    styles: Tensor | None

    def __init__(self, task: Task, method: TextGate) -> None:
        super().__init__(task, method, 0)
        prior = len(self.chosen) / len(self.domain_names)
        self.limit = (method.threshold or prior) + MARGIN
        conditional = 0 < len(self.chosen) < len(self.domain_names)
        styles = style_sentences(task) if conditional else None
        self.register_buffer("styles", styles, persistent=False)

    def of_evidence(self, evidence: Tensor) -> Tensor:
        """Features (B, E) → the share of the forgotten domains (B,); 1 for classes alone."""
        if self.styles is None:
            return torch.ones(len(evidence), device=evidence.device)
        return share(self.clip, evidence, self.styles, self.chosen)

    def stops(self, evidence: Tensor) -> Tensor:
        """Features (B, E) → (B,) bool."""
        return self.of_evidence(evidence) > self.limit


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
