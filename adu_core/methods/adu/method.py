"""ADU and its ablation: vision prompts, with or without InstaPG, with or without DDL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from adu_core.measure.mmd import BANDWIDTHS
from adu_core.methods.adu.adapter import Adapter, Parts
from adu_core.methods.base import Task
from adu_core.methods.surgery import project_conflict
from adu_core.settings import setting
from adu_core.train import losses
from adu_core.train.loop import Batch, Loop, Steps, backward, train


@dataclass(frozen=True)
class ADU(Steps, Parts):
    """Approximate Domain Unlearning (Kawamura et al., NeurIPS 2025), and its parts one by one.

    Vision prompts learn by L_memorize + forget_weight · L_forget ("baseline"); ``instapg`` makes
    them a picture's own, ``ddl`` pulls the domains apart; both are the full method. What the
    paper's text at hand does not say is marked [choice].
    """

    surgery: bool = setting(False, "where L_forget's gradient is against L_memorize's, mend it")
    forget_weight: float = setting(1.0, "of L_forget", least=0, search=(0.3, 1.0, 3.0, 10.0))
    gamma: float = setting(30.0, "of the domain classifier's cross-entropy", least=0)
    lam: float = setting(10.0, "of MMD²; below 0, a control, it draws domains together")
    bandwidths: tuple[float, ...] = setting(
        BANDWIDTHS, "of the kernels, times the median heuristic [choice]", above=0
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
        found = dict(super().search()) | {"learning_rate": (0.0025, 0.01, 0.03)}
        if self.ddl:
            found |= {"gamma": (1.0, 3.0, 10.0), "lam": (1.0, 3.0, 10.0)}
        if self.instapg:
            found |= {"instapg_block": (0, 1, 2, 3)}
        return found

    def start(self, task: Task, seed: int = 0) -> Adapter:
        """Prompts as they are drawn, before a step."""
        return Adapter.of(task, self, seed)

    def fit(self, task: Task, seed: int = 0, run: Loop | None = None) -> Adapter:
        """Teach the prompts by gradient steps over the shots."""
        self.check(task)
        adapter, run = self.start(task, seed), run or Loop(progress=False)

        def loss(batch: Batch) -> losses.Losses:
            features = adapter(batch.pictures)
            classifier = adapter.domain_classifier
            return objective(
                self,
                features=features,
                logits=adapter.logits(features),
                domain_logits=None if classifier is None else classifier(features),
                labels=batch.labels,
                domains=batch.domains,
                forgotten=batch.forgotten,
            )

        train(
            adapter,
            task.shots,
            task.forgotten,
            self,
            loss,
            self.sgd(adapter.parameters()),
            seed=seed,
            run=run,
            about={"method": self.as_dict(), "forget": task.target.as_dict()},
            backward=self._mended if self.surgery else backward,
        )
        return adapter.eval()

    def _mended(self, parts: losses.Losses, learned: list[nn.Parameter]) -> None:
        """Gradients of which L_forget's part is not against L_memorize's (DoCo's surgery)."""
        kept = parts.memorize + parts.ddl
        project_conflict(kept, self.forget_weight * parts.forget, learned)


_NAMES = {
    (False, False): "baseline",
    (True, False): "instapg",
    (False, True): "ddl",
    (True, True): "full",
}

#: What differs for small CLIPs, by name: the best mean H over validation pictures of the drawn
#: world and of PACS, of the settings that a search of each tried (see the design notes).
_SHORT = {"epochs": 12, "gamma": 3.0, "lam": 10.0}
SMALL: Mapping[str, Mapping[str, Any]] = {
    "baseline": {**_SHORT, "forget_weight": 0.3},
    "instapg": _SHORT,
    "ddl": _SHORT,
    "full": {**_SHORT, "instapg_block": 0},
}

#: The paper's values, for CLIP ViT-B/16 on pictures of 224 pixels.
PAPER = ADU()

FULL = PAPER
BASELINE = replace(PAPER, instapg=False, ddl=False)
INSTAPG = replace(PAPER, ddl=False)
DDL = replace(PAPER, instapg=False)

#: The paper's ablation.
ABLATION: Mapping[str, ADU] = {
    "baseline": BASELINE,
    "instapg": INSTAPG,
    "ddl": DDL,
    "full": FULL,
}

#: For small CLIPs such as the shipped one; chosen on validation pictures (see the design notes).
MINI = replace(PAPER, **SMALL["full"])


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
