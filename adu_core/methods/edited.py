"""A CLIP with other weights in some places: a copy, so that the shared one never changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from adu_core.clip.frozen import FrozenCLIP
from adu_core.methods.base import Method, Model, Task


class EditedCLIP(Model):
    """The model of methods that change weights of the CLIP itself.

    names: which weights may change, as open_clip calls them (``visual.conv1.weight``); they are
           the model's parameters. What is saved are those that did change.
    """

    def __init__(self, task: Task, method: Method, names: Iterable[str]) -> None:
        super().__init__(task, method)
        copy = deepcopy(task.clip)
        copy.__dict__.pop("fingerprint", None)  # that of the frozen one
        self._edited = (copy,)  # in a tuple: only ``names`` of it are parameters
        self.names = tuple(names)
        known = dict(copy.model.named_parameters())
        self.weights = nn.ParameterList([known[name].requires_grad_() for name in self.names])
        self.text_changes = any(not name.startswith("visual.") for name in self.names)

    @property
    def edited(self) -> FrozenCLIP:
        """The copy, whose weights are this model's."""
        return self._edited[0]

    def features(self, pictures: Tensor) -> Tensor:
        """Features by the edited vision tower: (B, 3, S, S) → (B, feature_size), of length 1."""
        return self.edited.encode_image(pictures)

    def class_features(self, class_names: Sequence[str] | None = None) -> Tensor:
        """(C, feature_size), of length 1, by the edited text tower if it may change."""
        if not self.text_changes:
            return super().class_features(class_names)
        names = self.class_names if class_names is None else tuple(class_names)
        return self.edited.class_features(names)

    def named_weights(self) -> dict[str, nn.Parameter]:
        """The weights that may change, by open_clip's names."""
        return dict(zip(self.names, self.weights, strict=True))

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # noqa: ARG002
        """The weights that differ from the frozen CLIP's, by open_clip's names."""
        frozen = dict(self.clip.model.named_parameters())
        return {
            name: weight.detach()
            for name, weight in self.named_weights().items()
            if not torch.equal(weight, frozen[name])
        }

    def load_state_dict(self, state: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:  # noqa: ARG002
        """Take what ``state_dict`` gave; all other weights become the frozen CLIP's.

        Raises ``RuntimeError`` for a weight that may not change, or of another shape or type.
        """
        own, frozen = self.named_weights(), dict(self.clip.model.named_parameters())
        for name, value in state.items():
            if name not in own:
                raise RuntimeError(f"{name} is none of the weights that {self.method.name} changes")
            if value.shape != own[name].shape or value.dtype != own[name].dtype:
                raise RuntimeError(
                    f"{name} is {tuple(value.shape)} {value.dtype}, "
                    f"the CLIP's is {tuple(own[name].shape)} {own[name].dtype}"
                )
        with torch.no_grad():
            for name, weight in own.items():
                weight.copy_(state.get(name, frozen[name]))
