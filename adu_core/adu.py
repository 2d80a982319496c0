"""ADU, the paper's method: its settings, the adapter, the objective, and how it is fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from adu_core import losses
from adu_core.clip import FrozenCLIP, Trace
from adu_core.dataset import Target, target
from adu_core.loop import Batch, Loop, Steps, train
from adu_core.prompts import InstaPG, TextPrompts, VisionPrompts, Wiring
from adu_core.settings import setting
from adu_core.task import Method, Model, Task


@dataclass(frozen=True)
class ADU(Steps, Method):
    """Approximate Domain Unlearning (Kawamura et al., NeurIPS 2025), with its parts as options.

    Vision prompts are trained with L_memorize + forget_weight · L_forget ("baseline"); ``instapg``
    makes them depend on the picture, ``ddl`` separates the domains; both together are the full
    method. What the paper's text, as far as available to us, does not say is marked [choice].
    """

    instapg: bool = setting(True, "prompts of the picture's own (paper: InstaPG)")
    ddl: bool = setting(True, "pull the domains apart (paper: Domain Disentangling Loss)")
    prompt_tokens: int = setting(8, "vision prompts in a block", least=1, most=512)
    prompt_depth: int = setting(9, "blocks with prompts, all if there are fewer", least=1, most=512)
    prompt_std: float = setting(0.02, "of the prompts' first values", least=0)
    text_tokens: int = setting(
        0, "learned text tokens; 0: text is fixed, as in the paper", least=0, most=512
    )
    instapg_block: int = setting(1, "where InstaPG stands, from 0 [choice]", least=0, most=511)
    instapg_wiring: Wiring = setting("every", "how answers reach the blocks [choice]")
    forget_weight: float = setting(1.0, "of L_forget", least=0)
    gamma: float = setting(30.0, "of the domain classifier's cross-entropy", least=0)
    lam: float = setting(10.0, "of MMD²; below 0, a control, it draws domains together")
    classifier_scale: float = setting(
        10.0, "of the features, as the domain classifier sees them [choice]", above=0
    )
    loss_mean: Literal["side", "batch"] = setting(
        "side", "L_memorize and L_forget are means over their side, or over the batch [choice]"
    )
    bandwidths: tuple[float, ...] = setting(
        losses.BANDWIDTHS, "of the kernels, times the median heuristic [choice]", above=0
    )

    undo = "leave the prompts out"
    source = "Kawamura et al., NeurIPS 2025"

    @property
    def name(self) -> str:  # type: ignore[override]
        """What the paper's ablation calls it."""
        return _NAMES[self.instapg, self.ddl]

    @property
    def summary(self) -> str:  # type: ignore[override]
        """One line."""
        added = [word for word, on in (("InstaPG", self.instapg), ("DDL", self.ddl)) if on]
        return "vision prompts" + "".join(f" + {word}" for word in added)

    @property
    def small(self) -> Mapping[str, Any]:  # type: ignore[override]
        """What differs for small CLIPs, chosen on validation pictures (see the design notes)."""
        return SMALL[self.name]

    def search(self) -> dict[str, tuple[Any, ...]]:
        """What a fair search tries: γ, λ and InstaPG's block only where they are in play."""
        found: dict[str, tuple[Any, ...]] = {
            "epochs": (6, 12, 25, 50),
            "learning_rate": (0.001, 0.0025, 0.01, 0.03, 0.1),
            "forget_weight": (0.1, 0.3, 1.0, 3.0, 10.0),
            "prompt_tokens": (8, 16, 32, 64),
        }
        if self.ddl:
            found |= {"gamma": (0.3, 1.0, 3.0, 10.0, 30.0), "lam": (1.0, 3.0, 10.0, 30.0)}
        if self.instapg:
            found |= {"instapg_block": (0, 1, 2, 3), "instapg_wiring": ("every", "add", "each")}
        return found

    def start(self, task: Task, seed: int = 0) -> Adapter:
        """Prompts as they are drawn, before a step."""
        names = task.shots.class_names, task.shots.domain_names
        return Adapter(task.clip, *names, task.target, self, seed)

    def fit(self, task: Task, seed: int = 0, run: Loop | None = None) -> Adapter:
        """Teach the prompts by gradient steps over the shots."""
        adapter = self.start(task, seed)

        def loss(batch: Batch) -> losses.Losses:
            features = adapter(batch.pictures)
            return objective(
                self,
                features=features,
                logits=adapter.logits(features),
                domain_logits=adapter.domain_logits(features),
                labels=batch.labels,
                domains=batch.domains,
                forgotten=batch.forgotten,
            )

        train(adapter, task.shots, task.forgotten, self, loss, seed=seed, run=run)
        return adapter.eval()


def objective(
    settings: ADU,
    *,
    features: Tensor,
    logits: Tensor,
    domain_logits: Tensor | None,
    labels: Tensor,
    domains: Tensor,
    forgotten: Tensor,
) -> losses.Losses:
    """L_total of one batch: L_memorize + forget_weight · L_forget + DDL.

    features (B, E) of length 1, logits (B, C), domain_logits (B, D) or None without DDL,
    labels and domains (B,), forgotten (B,) bool
    """
    apart = logits.new_zeros(())
    if domain_logits is not None:
        apart = losses.ddl(
            domain_logits,
            features,
            domains,
            gamma=settings.gamma,
            lam=settings.lam,
            multiples=settings.bandwidths,
        )
    to_memorize = losses.memorize(logits, labels, ~forgotten)
    to_forget = losses.forget(logits, forgotten)
    if settings.loss_mean == "batch":
        share = forgotten.to(logits.dtype).mean()
        to_memorize, to_forget = (1 - share) * to_memorize, share * to_forget
    return losses.total(to_memorize, to_forget, apart, settings.forget_weight)


class Adapter(Model):
    """All that ADU learns, made for one CLIP, one list of classes and one of domains.

    ``settings`` say which parts there are; ``seed`` determines their initial values.
    ``adapter(pictures)`` gives features, ``adapter.logits(features)`` the class logits.
    """

    def __init__(
        self,
        clip: FrozenCLIP,
        class_names: Sequence[str],
        domain_names: Sequence[str],
        forget: Target | Sequence[str],
        settings: ADU,
        seed: int = 0,
    ) -> None:
        super().__init__(Task.of_names(clip, class_names, domain_names, target(forget)), settings)
        draw: dict[str, Any] = {"generator": torch.Generator().manual_seed(seed)}
        std, depth = settings.prompt_std, min(settings.prompt_depth, len(clip.blocks))
        self.vision = VisionPrompts(settings.prompt_tokens, depth, clip.width, init_std=std, **draw)
        self.instapg: InstaPG | None = None
        self.text: TextPrompts | None = None
        self.domain_classifier: nn.Module | None = None
        self.scale = settings.classifier_scale
        if settings.instapg:
            block = settings.instapg_block
            if not 0 <= block < depth:
                raise ValueError(
                    f"instapg_block is {block}, but prompts enter blocks 0 to {depth - 1} only"
                )
            self.instapg = InstaPG(
                clip.width, clip.heads, block, wiring=settings.instapg_wiring, **draw
            )
        if settings.text_tokens:
            self.text = TextPrompts(settings.text_tokens, clip.text_width, init_std=std, **draw)
            self.text_changes = True
        if settings.ddl:
            linear = skip_init(nn.Linear, clip.feature_size, len(domain_names))
            nn.init.xavier_uniform_(linear.weight, **draw)
            nn.init.zeros_(linear.bias)
            self.domain_classifier = nn.Sequential(linear)
        self.to(clip.device)

    def features(self, pictures: Tensor, trace: Trace | None = None) -> Tensor:
        """Features after unlearning: (B, 3, S, S) → (B, feature_size), of length 1."""
        return self.clip.encode_image(pictures, self.vision, self.instapg, trace=trace)

    def domain_logits(self, features: Tensor) -> Tensor | None:
        """The domain classifier's logits: (B, feature_size) → (B, D); None if there is none."""
        if self.domain_classifier is None:
            return None
        logits: Tensor = self.domain_classifier(self.scale * features)
        return logits

    def sentences(self, texts: Sequence[str]) -> Tensor:
        """Features of sentences, with the learned context if there is one: (T, feature_size)."""
        return self.clip.encode_text(texts, self.text)


_NAMES = {
    (False, False): "baseline",
    (True, False): "instapg",
    (False, True): "ddl",
    (True, True): "full",
}

#: What differs for small CLIPs, by name: the best mean H over validation pictures of the drawn
#: world and of PACS, of the settings that a search of each tried (see the design notes).
_SHORT = {
    "epochs": 12, "gamma": 3.0, "lam": 10.0, "classifier_scale": 1.0, "instapg_wiring": "add",
}  # fmt: skip
SMALL: Mapping[str, Mapping[str, Any]] = {
    "baseline": {**_SHORT, "forget_weight": 0.3},
    "instapg": _SHORT,
    "ddl": _SHORT,
    "full": {**_SHORT, "instapg_block": 0},
}

#: The paper's values, for CLIP ViT-B/16 on pictures of 224 pixels.
PAPER = FULL = ADU()
BASELINE = replace(PAPER, instapg=False, ddl=False)
INSTAPG = replace(PAPER, ddl=False)
DDL = replace(PAPER, instapg=False)

#: The paper's ablation.
ABLATION: Mapping[str, ADU] = {each.name: each for each in (BASELINE, INSTAPG, DDL, FULL)}

#: For small CLIPs such as the shipped one; chosen on validation pictures (see the design notes).
MINI = replace(PAPER, **SMALL["full"])
