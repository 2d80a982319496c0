"""The adapter: all that ADU learns, beside a CLIP that stayed as it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from adu_core.clip.frozen import FrozenCLIP, Trace
from adu_core.data.target import Target, target
from adu_core.methods.adu.instapg import InstaPG, Wiring
from adu_core.methods.adu.prompts import TextPrompts, VisionPrompts
from adu_core.methods.base import Method, Model, Task
from adu_core.settings import setting


@dataclass(frozen=True)
class Parts(Method):
    """What learns: the settings that an adapter is made by. [choice]: not said in the paper."""

    instapg: bool = setting(True, "prompts of the picture's own (paper: InstaPG)")
    ddl: bool = setting(True, "pull the domains apart (paper: Domain Disentangling Loss)")
    prompt_tokens: int = setting(8, "vision prompts in a block", least=1, most=512)
    prompt_depth: int = setting(9, "blocks with prompts, all if there are fewer", least=1, most=512)
    prompt_std: float = setting(0.02, "of the prompts' first values", least=0)
    text_tokens: int = setting(
        0, "learned text tokens; 0: text is fixed, as in the paper", least=0, most=512
    )
    instapg_block: int = setting(1, "where InstaPG stands, from 0 [choice]", least=0, most=511)
    instapg_heads: int = setting(0, "0: as many as the CLIP has [choice]", least=0, most=512)
    instapg_wiring: Wiring = setting("add", "how answers reach later blocks [choice]")
    classifier_hidden: int = setting(
        0, "0: the domain classifier is linear [choice]", least=0, most=65_536
    )


class Adapter(Model):
    """The parts that learn, made for one CLIP, one list of classes and one of domains.

    Which parts there are follows from ``settings``; ``seed`` draws their first values.
    ``adapter(pictures)`` gives features, ``adapter.logits(features)`` the class logits.
    """

    def __init__(
        self,
        clip: FrozenCLIP,
        class_names: Sequence[str],
        domain_names: Sequence[str],
        forget: Target | Sequence[str],
        settings: Parts,
        seed: int = 0,
    ) -> None:
        super().__init__(Task.of_names(clip, class_names, domain_names, target(forget)), settings)
        generator = torch.Generator().manual_seed(seed)
        depth = min(settings.prompt_depth, len(clip.blocks))
        self.vision = VisionPrompts(
            settings.prompt_tokens,
            depth,
            clip.width,
            init_std=settings.prompt_std,
            generator=generator,
        )
        self.instapg: InstaPG | None = None
        self.text: TextPrompts | None = None
        self.domain_classifier: nn.Module | None = None
        if settings.instapg:
            if not 0 <= settings.instapg_block < depth:
                raise ValueError(
                    f"instapg_block is {settings.instapg_block}, but prompts enter blocks "
                    f"0 to {depth - 1} only"
                )
            self.instapg = InstaPG(
                clip.width,
                settings.instapg_heads or clip.heads,
                settings.instapg_block,
                wiring=settings.instapg_wiring,
                generator=generator,
            )
        if settings.text_tokens:
            self.text = TextPrompts(
                settings.text_tokens,
                clip.text_width,
                init_std=settings.prompt_std,
                generator=generator,
            )
            self.text_changes = True
        if settings.ddl:
            self.domain_classifier = _classifier(
                clip.feature_size, settings.classifier_hidden, len(domain_names), generator
            )
        self.to(clip.device)

    @classmethod
    def of(cls, task: Task, settings: Parts, seed: int = 0) -> Adapter:
        """The adapter for a task."""
        names = task.shots.class_names, task.shots.domain_names
        return cls(task.clip, *names, task.target, settings, seed)

    def features(self, pictures: Tensor, trace: Trace | None = None) -> Tensor:
        """Features after unlearning: (B, 3, S, S) → (B, feature_size), of length 1."""
        return self.clip.encode_image(pictures, self.vision, self.instapg, trace=trace)

    def forward(self, pictures: Tensor, trace: Trace | None = None) -> Tensor:
        """The same as ``features``."""
        return self.features(pictures, trace)

    def sentences(self, texts: Sequence[str]) -> Tensor:
        """Features of sentences, with the learned context if there is one: (T, feature_size)."""
        return self.clip.encode_text(texts, self.text)


def _classifier(size: int, hidden: int, domains: int, generator: torch.Generator) -> nn.Module:
    """Features to domain logits: linear, or with one hidden layer."""
    widths = [size, hidden, domains] if hidden else [size, domains]
    layers: list[nn.Module] = []
    for width, following in pairwise(widths):
        linear = skip_init(nn.Linear, width, following)
        nn.init.xavier_uniform_(linear.weight, generator=generator)
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])
