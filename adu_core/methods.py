"""The methods of the ablation, side by side: which parts learn, and which losses teach them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

from torch import Tensor

from adu_core import losses
from adu_core.instapg import Wiring

MethodName = Literal["zero-shot", "baseline", "instapg", "ddl", "full"]


@dataclass(frozen=True)
class Method:
    """What a method adds to vision prompts taught by L_memorize + forget_weight · L_forget."""

    instapg: bool = False
    ddl: bool = False


#: The paper's ablation. "zero-shot", which learns nothing, is not among them.
METHODS: Mapping[str, Method] = {
    "baseline": Method(),
    "instapg": Method(instapg=True),
    "ddl": Method(ddl=True),
    "full": Method(instapg=True, ddl=True),
}


@dataclass(frozen=True)
class Settings:
    """Everything that can be chosen about unlearning; ``MINI`` and ``PAPER`` are two choices.

    What the paper's text at hand does not say is marked [choice].
    """

    method: MethodName = "full"

    # What learns.
    prompt_tokens: int = 8
    prompt_depth: int = 9  #: of the CLIP's blocks, or all if it has fewer
    prompt_std: float = 0.02
    text_tokens: int = 0  #: 0: the text stays "a photo of a {class}", as in the paper
    instapg_block: int = 1  #: counted from 0 [choice]
    instapg_heads: int = 0  #: 0: as many as the CLIP has [choice]
    instapg_wiring: Wiring = "add"  #: [choice]
    classifier_hidden: int = 0  #: 0: the domain classifier is linear [choice]

    # What it is taught.
    forget_weight: float = 1.0
    gamma: float = 30.0  #: of the domain classifier's cross-entropy
    lam: float = 10.0  #: of MMD²
    bandwidths: tuple[float, ...] = losses.BANDWIDTHS  #: times the median heuristic [choice]

    # How.
    epochs: int = 50
    batch_size: int = 32  #: [choice]
    balanced: bool = True  #: every batch holds the domains in equal parts [choice]
    learning_rate: float = 0.0025
    warmup_rate: float = 1e-5  #: the learning rate of the first epoch; 0 epochs if equal
    momentum: float = 0.9
    weight_decay: float = 5e-4
    crop: float = 0.7  #: the smallest side of a random crop, as a share of the picture's [choice]
    flip: bool = True
    precision: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        if self.method not in get_args(MethodName):
            raise ValueError(
                f"no method {self.method!r}: choose one of {', '.join(get_args(MethodName))}"
            )
        if self.precision not in ("float32", "bfloat16"):
            raise ValueError(f"precision must be float32 or bfloat16, not {self.precision!r}")
        for name in ("prompt_tokens", "prompt_depth", "epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, not {getattr(self, name)}")
        for name in ("forget_weight", "gamma", "lam", "learning_rate", "text_tokens"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be 0 or more, not {getattr(self, name)}")
        if not 0 < self.crop <= 1:
            raise ValueError(f"crop must be above 0 and at most 1, not {self.crop}")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: str | Path) -> Settings:
        """Settings as JSON keeps them; a ``ValueError`` naming ``where`` for unknown ones."""
        unknown = sorted(values.keys() - {field.name for field in fields(cls)})
        if unknown:
            raise ValueError(f"{where}: unknown settings {unknown}; written by another version?")
        plain: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
        }
        return cls(**plain)


#: The paper's values, for CLIP ViT-B/16 on pictures of 224 pixels.
PAPER = Settings()

#: For small CLIPs such as the shipped one; chosen on validation pictures (see the design notes).
MINI = replace(PAPER, epochs=12, gamma=3.0, lam=10.0)

PRESETS: Mapping[str, Settings] = {"mini": MINI, "paper": PAPER}


def objective(
    settings: Settings,
    *,
    features: Tensor,
    logits: Tensor,
    domain_logits: Tensor | None,
    labels: Tensor,
    domains: Tensor,
    forgotten: Tensor,
) -> losses.Losses:
    """L_total of one batch, for the method of ``settings``.

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
    return losses.total(
        losses.memorize(logits, labels, ~forgotten),
        losses.forget(logits, forgotten),
        apart,
        settings.forget_weight,
    )
