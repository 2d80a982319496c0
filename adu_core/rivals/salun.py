"""SalUn: only the weights that matter for what is to be forgotten are trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor, nn

from adu_core import losses
from adu_core.loop import Batch, Loop, train
from adu_core.rivals.edited import EditedCLIP, WeightSteps, gradient, towards_class, vision_weights
from adu_core.settings import setting
from adu_core.task import Method, Task


@dataclass(frozen=True)
class SalUn(WeightSteps, Method):
    """Saliency Unlearning (Fan et al., ICLR 2024, arXiv 2310.12508), with CLIP's vision tower.

    A weight's saliency is the size of the forget loss's gradient, summed over all forgotten shots,
    at the frozen weights. The share of all weights with the highest saliency, one ranking for the
    whole tower, is the mask. Only these are then trained: with random labels for the forgotten
    shots, and the correct ones for the rest. Gradients, weight decay and momentum are masked: every
    other weight stays the same bit for bit.

    [choice] Saliency is that of cross-entropy to the shots' own classes; the paper's forget loss is
    its negative, and the sign makes no difference. A random label is never the correct one, and is
    drawn again in every epoch. ``loss`` "entropy" uses ADU's L_forget instead. The sentences of the
    classes stay the same.
    """

    name = "salun"
    summary = "random labels, at the salient weights alone"
    source = "Fan et al., ICLR 2024"
    changes = "weights"
    undo = "load the frozen weights again"

    share: float = setting(
        0.5,
        "of the vision tower's weights that may change",
        above=0,
        most=1,
        search=(0.03, 0.1, 0.3, 0.5, 1.0),
    )
    loss: Literal["random labels", "entropy"] = setting(
        "random labels",
        "what forgotten shots are taught",
        search=("random labels", "entropy"),
    )
    forget_weight: float = setting(
        1.0, "of the forgotten shots' loss", least=0, search=(0.1, 0.3, 1.0, 3.0, 10.0)
    )

    def check(self, task: Task) -> None:
        """Raise ``ValueError`` if there is no other class to draw a random label from."""
        super().check(task)
        if self.loss == "random labels" and len(task.shots.class_names) < 2:
            raise ValueError("random labels need a second class: set loss to entropy")

    def start(self, task: Task, seed: int = 0) -> EditedCLIP:
        """The frozen CLIP; any weight of its vision tower may change."""
        return EditedCLIP(task, self, vision_weights(task.clip))

    def fit(self, task: Task, seed: int = 0, run: Loop | None = None) -> EditedCLIP:
        """Rank the weights, then teach the salient ones by gradient steps over the shots."""
        model = self.start(task, seed)
        shots, classes = task.shots, len(task.shots.class_names)
        slopes = gradient(model, task, task.forgotten.cpu(), towards_class)
        masks = list(salient(slopes, self.share).values())

        @lru_cache(maxsize=1)
        def drawn(epoch: int) -> Tensor:
            generator = torch.Generator().manual_seed(seed * 100_003 + epoch + 50_021)
            return random_labels(shots.labels.cpu(), classes, generator).to(task.clip.device)

        def loss(batch: Batch) -> losses.Losses:
            logits = model.logits(model.features(batch.pictures))
            if self.loss == "entropy":
                return losses.memorize_and_forget(
                    logits, batch.labels, batch.forgotten, self.forget_weight
                )
            wrong = drawn(batch.epoch)[batch.index]
            return losses.total(
                losses.memorize(logits, batch.labels, ~batch.forgotten),
                losses.memorize(logits, wrong, batch.forgotten),
                logits.new_zeros(()),
                self.forget_weight,
            )

        def backward(parts: losses.Losses, learned: list[nn.Parameter]) -> None:
            parts.total.backward()
            mask_gradients(learned, masks, self.weight_decay)

        train(
            model,
            shots,
            task.forgotten,
            self,
            loss,
            # The decay is in the masked gradients: given to SGD, it would reach every weight.
            torch.optim.SGD(list(model.weights), lr=0.0, momentum=self.momentum),
            seed=seed,
            run=run,
            backward=backward,
        )
        return model.eval()


def salient(gradients: Mapping[str, Tensor], share: float) -> dict[str, Tensor]:
    """Masks (bool, of the weights' shapes) of the ``share`` of all weights with steepest slopes.

    One ranking over all of them; exactly ``share`` times their number, rounded, are true.
    """
    sizes = torch.cat([slope.abs().flatten() for slope in gradients.values()])
    mask = torch.zeros_like(sizes, dtype=torch.bool)
    mask[sizes.topk(round(share * len(sizes)), sorted=False).indices] = True
    parts = mask.split([slope.numel() for slope in gradients.values()])
    return {
        name: part.view_as(slope)
        for (name, slope), part in zip(gradients.items(), parts, strict=True)
    }


def mask_gradients(
    learned: list[nn.Parameter], masks: list[Tensor], weight_decay: float = 0.0
) -> None:
    """Add the decay's gradient where a mask is true, and put exactly 0 where it is false."""
    for weight, mask in zip(learned, masks, strict=True):
        if weight.grad is not None:
            decayed = weight.grad + weight_decay * weight.detach()
            weight.grad = decayed.masked_fill(~mask, 0.0)


def random_labels(labels: Tensor, classes: int, generator: torch.Generator) -> Tensor:
    """For each label (N,) one of the other ``classes`` - 1, all equally probable: (N,) int64."""
    return (labels + torch.randint(1, classes, labels.shape, generator=generator)) % classes
