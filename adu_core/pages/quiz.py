"""A question with choices, for mouse or keyboard; needs no kernel and no network."""

from __future__ import annotations

from collections.abc import Mapping

from adu_core.pages.page import Piece, piece


def quiz(question: str, choices: Mapping[str, str], *, right: str) -> Piece:
    """A question whose choices answer when one is picked.

    choices: what can be picked, each with what to say to whoever picks it
    right:   the choice that is right

    All are plain text. Raises ``ValueError`` for fewer than two choices, a choice without an
    answer, or a right one that is none of them.
    """
    if len(choices) < 2 or right not in choices:
        raise ValueError(f"a quiz has two choices or more, one of them right: not {right!r}")
    silent = [choice for choice, answer in choices.items() if not answer]
    if silent:
        raise ValueError(f"the choice {silent[0]!r} has no answer: say why it is right or wrong")
    data = {
        "question": question,
        "choices": [{"text": text, "answer": answer} for text, answer in choices.items()],
        "right": list(choices).index(right),
    }
    return piece("quiz", data, label=f"Question: {question}")
