"""The paper's experiments as they stand in its tables: which runs they are, and what it reports.

Numbers are those of Kawamura et al., NeurIPS 2025 (arXiv 2510.08132), with CLIP ViT-B/16. What its
text at hand does not say is our choice, and ``choices`` lists it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

from adu_core.rivals.methods import method
from adu_core.runs.grid import Grid, Names
from adu_core.runs.spec import Spec

#: The paper's method and its tuning-based rivals, and the CLIP that nothing was done to.
METHODS = ("zero-shot", "lp++", "clipfit", "bbf", "baseline", "full")


@dataclass(frozen=True)
class Protocol:
    """One dataset of the paper.

    data:     what stands before the colon in a data source
    names:    class names (or their number) and domain names, for a forecast without pictures
    pictures: in all
    most:     domains that are forgotten at once, at the most
    paper:    the H that the paper reports, by the number of forgotten domains and the method
    """

    data: str
    classes: int
    domains: tuple[str, ...]
    pictures: int
    most: int
    paper: Mapping[int, Mapping[str, float]] = field(default_factory=dict)

    def placeholder(self) -> Names:
        """As many names as there are classes, and the domains', where no picture is at hand."""
        return tuple(f"class {number}" for number in range(self.classes)), self.domains


#: By the name that `adu reproduce` takes.
PROTOCOLS: Mapping[str, Protocol] = {
    "office-home": Protocol(
        "office-home",
        65,
        ("art", "clipart", "product", "real world"),
        15_588,
        3,
        {
            1: {"lp++": 30.46, "clipfit": 43.44, "bbf": 31.25, "baseline": 52.59, "full": 69.96},
            3: {"baseline": 59.47, "full": 75.89},
        },
    ),
    "mini-domainnet": Protocol(
        "mini-domainnet",
        126,
        ("clipart", "painting", "real", "sketch"),
        140_006,
        3,
        {1: {"lp++": 31.73, "clipfit": 53.56, "bbf": 32.12, "baseline": 62.07, "full": 75.56}},
    ),
    # The paper's second domain of ImageNet is not named in the text at hand: sketches [choice].
    "imagenet": Protocol(
        "imagenet-sketch",
        1000,
        ("imagenet", "sketch"),
        1_331_167,
        1,
        {1: {"lp++": 50.69, "clipfit": 71.31, "bbf": 45.56, "baseline": 74.66, "full": 77.02}},
    ),
    "pacs": Protocol("pacs", 7, ("art painting", "cartoon", "photo", "sketch"), 9_991, 3),
    "domainnet": Protocol(
        "domainnet",
        345,
        ("clipart", "infograph", "painting", "quickdraw", "real", "sketch"),
        586_575,
        3,
    ),
}


def plan(
    protocol: Protocol,
    names: Names,
    grid: Grid,
    *,
    text_prompts: int = 0,
    counts: Sequence[int] = (),
) -> list[Spec]:
    """All runs: every combination of so many forgotten domains, method and seed of ``grid``.

    text_prompts: learned tokens in the text of ADU and its baseline, as the released code has them
    counts:       how many domains are forgotten at once; every number up to the protocol's most
    """
    _, domain_names = names
    most = min(protocol.most, len(domain_names) - 1)
    asked = tuple(counts) or tuple(range(1, most + 1))
    too_many = [count for count in asked if not 1 <= count < len(domain_names)]
    if too_many:
        raise ValueError(
            f"{too_many[0]} of {len(domain_names)} domains cannot be forgotten: say 1 to "
            f"{len(domain_names) - 1}"
        )
    settings = dict(grid.set or {})
    if text_prompts:
        settings["text_tokens"] = [text_prompts]
    return [
        spec
        for count in asked
        for spec in Grid(**{**vars(grid), "forget": count, "set": settings}).specs(lambda _: names)
    ]


def choices(names: Sequence[str], work: Sequence[Spec]) -> dict[str, dict[str, object]]:
    """By method, the settings that the paper's text at hand does not say, and what they are."""
    found: dict[str, dict[str, object]] = {}
    for name in names:
        made = next((spec.method for spec in work if spec.method.name == name), None) or method(
            name
        )
        own = {
            each.name: getattr(made, each.name)
            for each in fields(made)
            if "[choice]" in each.metadata.get("help", "")
        }
        if own:
            found[name] = own
    return found
