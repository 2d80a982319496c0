"""A copy of a CLIP with some weights changed, so that the shared one never changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from adu_core import losses
from adu_core.clip import FrozenCLIP, Trace
from adu_core.loop import Steps
from adu_core.settings import setting
from adu_core.task import Method, Model, Task


def vision_weights(clip: FrozenCLIP) -> tuple[str, ...]:
    """The names of all weights of the vision tower, as open_clip calls them."""
    return tuple(name for name, _ in clip.model.named_parameters() if name.startswith("visual."))


def block_weights(clip: FrozenCLIP) -> tuple[str, ...]:
    """The names of all weights of the vision tower's blocks."""
    inside = {id(weight) for block in clip.blocks for weight in block.parameters()}
    named = dict(clip.model.named_parameters())
    return tuple(name for name in vision_weights(clip) if id(named[name]) in inside)


@dataclass(frozen=True)
class WeightSteps(Steps):
    """The settings of gradient steps on many weights of the vision tower: few steps, short ones."""

    epochs: int = setting(
        10, "passes over the shots [choice]", least=1, most=10_000, search=(3, 6, 12, 25)
    )
    learning_rate: float = setting(
        1e-4,
        "the highest, after one epoch [choice]",
        least=0,
        search=(1e-5, 1e-4, 3e-4, 1e-3, 3e-3),
    )

    small: ClassVar[Mapping[str, Any]] = {"epochs": 6, "learning_rate": 1e-3}


class EditedCLIP(Model):
    """The model of methods that change weights of the CLIP itself.

    names: which weights may change, by open_clip's names (``visual.conv1.weight``); they are the
           model's parameters, all other weights are the frozen CLIP's own tensors. Only weights
           that did change are saved. Raises ``ValueError`` for an unknown name
    """

    def __init__(self, task: Task, method: Method, names: Iterable[str]) -> None:
        super().__init__(task, method)
        self.names = tuple(names)
        frozen = dict(task.clip.model.named_parameters())
        unknown = [name for name in self.names if name not in frozen]
        if unknown:
            raise ValueError(f"{task.clip.name} has no weight {unknown[0]!r}")
        # A copy in which only ``names`` are new: the rest of a large CLIP is not doubled.
        rest = [weight for name, weight in frozen.items() if name not in self.names]
        copy = deepcopy(task.clip, {id(each): each for each in [*rest, task.clip.tokenizer]})
        copy.__dict__.pop("fingerprint", None)  # that of the frozen one
        self._edited = (copy,)  # in a tuple: only ``names`` of it are parameters
        known = dict(copy.model.named_parameters())
        self.weights = nn.ParameterList([known[name].requires_grad_() for name in self.names])
        self.text_changes = any(not name.startswith("visual.") for name in self.names)

    @property
    def edited(self) -> FrozenCLIP:
        """The copy, whose weights are this model's."""
        return self._edited[0]

    def features(self, pictures: Tensor, trace: Trace | None = None) -> Tensor:
        """Features by the edited vision tower: (B, 3, S, S) → (B, feature_size), of length 1."""
        return self.edited.encode_image(pictures, trace=trace)

    def sentences(self, texts: Sequence[str]) -> Tensor:
        """Features of sentences by the edited text tower: T texts → (T, feature_size)."""
        return self.edited.encode_text(texts)

    def named_weights(self) -> dict[str, nn.Parameter]:
        """The weights that may change, by open_clip's names."""
        return dict(zip(self.names, self.weights, strict=True))

    def frozen_weights(self) -> dict[str, Tensor]:
        """What they were, and are in the frozen CLIP, by the same names in the same order."""
        frozen = dict(self.clip.model.named_parameters())
        return {name: frozen[name].detach() for name in self.names}

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """The weights that differ from the frozen CLIP's, by open_clip's names; and all else."""
        whole: dict[str, Any] = super().state_dict(*args, **kwargs)
        for number, (name, frozen) in enumerate(self.frozen_weights().items()):
            weight = whole.pop(f"weights.{number}")
            if not torch.equal(weight, frozen):
                whole[name] = weight
        return whole

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        """Take what ``state_dict`` gave; all other weights become the frozen CLIP's.

        Raises ``RuntimeError`` for a weight that may not change, or of another shape or type.
        """
        frozen = self.frozen_weights()
        for name, value in state_dict.items():
            known = frozen.get(name, value)
            if (value.shape, value.dtype) != (known.shape, known.dtype):
                raise RuntimeError(
                    f"{name} is {tuple(value.shape)} {value.dtype}, "
                    f"the CLIP's is {tuple(known.shape)} {known.dtype}"
                )
        numbered = {name: f"weights.{number}" for number, name in enumerate(self.names)}
        whole = {**frozen, **state_dict}
        return super().load_state_dict(
            {numbered.get(name, name): value for name, value in whole.items()}, strict
        )


def gradient(
    model: EditedCLIP,
    task: Task,
    side: Tensor,
    loss: Callable[[Tensor, Tensor], Tensor],
    batch_size: int = 64,
) -> dict[str, Tensor]:
    """The gradient of a mean loss over some of the shots, at each weight that may change.

    side: (N,) bool, which shots; they are seen whole, without crops, ``batch_size`` in a pass
    loss: of logits (B, C) and labels (B,), their mean
    """
    device, shots, weights = task.clip.device, task.shots, model.named_weights()
    sums = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    places = side.nonzero().flatten()
    for index in places.split(batch_size):
        logits = model.logits(model.features(shots.pictures[index].to(device)))
        mean = loss(logits, shots.labels[index].to(device))
        parts = torch.autograd.grad(mean * (len(index) / len(places)), list(weights.values()))
        for total, part in zip(sums.values(), parts, strict=True):
            total += part
    return sums


def towards_uniform(logits: Tensor, labels: Tensor) -> Tensor:
    """ADU's L_forget of pictures that are all forgotten: logits (B, C), labels unused → scalar."""
    return losses.forget(logits, logits.new_ones(len(logits), dtype=torch.bool))


def towards_class(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy to the class: logits (B, C), labels (B,) → scalar, in nats."""
    return losses.memorize(logits, labels, torch.ones_like(labels, dtype=torch.bool))
