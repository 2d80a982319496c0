"""The same pictures with other words, with other classes, and in a search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from adu_core.audit.materials import Materials, answers, percent
from adu_core.clip import TEMPLATE
from adu_core.data.captioning import NEUTRAL, STYLE_WORDS
from adu_core.measure import seen
from adu_core.task import Model


def words(materials: Materials) -> dict[str, Any]:
    """Accuracy in percent on what should be forgotten, for each way to ask.

    {sentence: {"frozen": …, "model": …}}: CLIP's own template, paraphrases of it, and sentences
    that name the style. A model with a head of its own is asked by its features and CLIP's
    sentences: that is what an attacker would do.
    """
    styles = [STYLE_WORDS.get(name, name) for name in materials.model.target.domains]
    asked = [TEMPLATE, *(form for form in NEUTRAL if form != TEMPLATE)]
    asked += [f"a {style} of a {{}}" for style in styles]
    frozen, after = ((known[materials.gone] for known in both) for both in materials.seen)
    (of_frozen, none), (of_model, refused) = frozen, after
    labels, names = materials.forgotten.labels, materials.test.class_names
    return {
        form: {
            "frozen": percent(_named(materials.frozen, of_frozen, none, form, names) == labels),
            "model": percent(_named(materials.model, of_model, refused, form, names) == labels),
        }
        for form in asked
    }


@torch.no_grad()
def _named(
    model: Model, features: Tensor, refused: Tensor, form: str, names: Sequence[str]
) -> Tensor:
    """The class whose sentence is nearest, -1 for what is refused: (N,) int64."""
    sentences = model.sentences([form.format(name) for name in names])
    nearest = model.clip.similarity(features.to(sentences), sentences).argmax(dim=1).cpu()
    return nearest.masked_fill(refused, -1)


def other_classes(materials: Materials) -> dict[str, Any] | None:
    """Accuracy in percent on classes that unlearning never met, kept and forgotten side.

    None where there are none, where the model knows its own classes only, and where classes are
    what is forgotten.
    """
    pictures, model = materials.held_out, materials.model
    if pictures is None or not model.open_classes or model.target.classes:
        return None
    gone = model.target.mask(pictures).cpu()
    found = {}
    for who, one in materials.both:
        known = seen(one, pictures.pictures)
        hits = answers(one, known, pictures.class_names) == pictures.labels.cpu()
        found[who] = {"kept": percent(hits[~gone]), "forgotten": percent(hits[gone])}
    return found


@torch.no_grad()
def retrieval(materials: Materials) -> dict[str, Any]:
    """Search both ways, in percent, by the frozen CLIP and by the model.

    picture_to_caption: forgotten pictures whose nearest caption, of every class in every style,
    names their class. caption_to_picture: "a photo of a {class}" is asked of all test pictures;
    how many of a class's forgotten pictures are among the nearest, as many as the class has in all.
    """
    test, found = materials.test, {}
    styles = [STYLE_WORDS.get(name, name) for name in test.domain_names]
    for (who, model), (features, _) in zip(materials.both, materials.seen, strict=True):
        captions = model.sentences([f"a {s} of a {c}" for c in test.class_names for s in styles])
        asked = features[materials.gone].to(captions)
        nearest = (asked @ captions.T).argmax(dim=1).cpu() // len(styles)
        queries = model.sentences([TEMPLATE.format(name) for name in test.class_names])
        scores = (queries @ features.to(queries).T).cpu()
        shares = []
        for number in materials.forgotten.labels.unique().tolist():
            mine = test.labels == number
            top = scores[number].topk(int(mine.sum())).indices
            wanted = mine & materials.gone
            shares.append(100 * wanted[top].sum().item() / int(wanted.sum()))
        found[who] = {
            "picture_to_caption": percent(nearest == materials.forgotten.labels),
            "caption_to_picture": sum(shares) / len(shares),
        }
    return found
