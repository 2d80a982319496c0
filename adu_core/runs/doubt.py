"""Warns if a CLIP does not know the pictures: then forgetting cannot be measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scipy.special import bdtrc

from adu_core.clip import FrozenCLIP
from adu_core.machine.device import gains
from adu_core.runs.record import Measured, Record

#: Correct answers are chance's if chance alone gives as many with at least this probability.
RISK = 0.05
_INSTEAD = (
    "train one on them (`adu pretrain --data … --out FILE.safetensors`, then --clip "
    "FILE.safetensors), or take --clip ViT-B-16-quickgelu:openai"
)


def unknown_words(clip: FrozenCLIP, class_names: Sequence[str]) -> str:
    """The classes whose words a small CLIP never met, in a line with what to do; "" if none.

    Words that ``adu pretrain`` saw in no caption are zeros in the table of words.
    """
    if gains((clip.name, clip.pretrained or None)):
        return ""
    known = clip.words.detach().cpu().any(dim=1)
    tokens = clip.tokenizer(list(class_names))
    names = [name for name, row in zip(class_names, tokens, strict=True) if not known[row].all()]
    if not names:
        return ""
    said = ", ".join(names[:10]) + (", …" if len(names) > 10 else "")
    return (
        f"warning: the CLIP {clip.name} never met the words of {len(names)} of "
        f"{len(class_names)} classes and cannot name such pictures: {said}; {_INSTEAD}"
    )


def doubt(before: Measured, measured: Mapping[str, int], classes: int) -> str:
    """Where zero-shot answers are no better than chance, in a line with what to do; "" if nowhere.

    measured: how many pictures of each domain were measured
    """
    right = {
        name: round(before["accuracy"][name] * count / 100)
        for name, count in measured.items()
        if count
    }
    total = sum(measured.values())
    if _by_chance(sum(right.values()), total, classes):
        where, share = "these pictures", f"{100 * sum(right.values()) / total:.1f} %"
    else:
        bad = [name for name, k in right.items() if _by_chance(k, measured[name], classes)]
        if not bad:
            return ""
        where = f"the pictures of {', '.join(bad)}"
        share = ", ".join(f"{before['accuracy'][name]:.1f} %" for name in bad)
    return (
        f"warning: before unlearning, this CLIP names {where} no better than chance ({share}; "
        f"chance is {100 / classes:.1f} %), so forgetting them cannot be measured: {_INSTEAD}"
    )


def doubt_of(record: Record) -> str:
    """The same of a record; "" for one that does not say how many pictures were measured."""
    measured = record["found"].get("measured") or {}
    return doubt(record["before"], measured, len(record["found"]["classes"]))


def _by_chance(right: int, count: int, classes: int) -> bool:
    """Whether chance gives as many right answers; False where there are too few to tell."""
    if not count or classes ** -float(count) > RISK:
        return False
    return bool(bdtrc(right - 1, count, 1 / classes) > RISK)
