"""The adapter: all that was learned, beside a CLIP that stayed as it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from adu_core.clip import FrozenCLIP, Trace
from adu_core.files import read_json, read_tensors, write_json, write_tensors
from adu_core.instapg import InstaPG
from adu_core.methods import METHODS, Settings
from adu_core.prompts import TextPrompts, VisionPrompts

SCHEMA = 1


class Adapter(nn.Module):
    """The parts that learn, made for one CLIP, one list of classes and one of domains.

    Which parts there are follows from ``settings.method``; ``seed`` draws their first values.
    ``adapter(pictures)`` gives features, ``adapter.logits(features)`` the class logits.
    """

    _class_features: Tensor

    def __init__(
        self,
        clip: FrozenCLIP,
        class_names: Sequence[str],
        domain_names: Sequence[str],
        forget: Sequence[str],
        settings: Settings,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if settings.method not in METHODS:
            raise ValueError(f"method {settings.method!r} learns nothing: it has no adapter")
        method = METHODS[settings.method]
        generator = torch.Generator().manual_seed(seed)
        self.settings = settings
        self.class_names, self.domain_names = tuple(class_names), tuple(domain_names)
        self.forget = tuple(forget)
        self._clip = (clip,)  # in a tuple: used, but no part of what is saved and trained

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
        if method.instapg:
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
        if method.ddl:
            self.domain_classifier = _classifier(
                clip.feature_size, settings.classifier_hidden, len(domain_names), generator
            )
        with torch.no_grad():
            fixed = clip.class_features(self.class_names)
        self.register_buffer("_class_features", fixed, persistent=False)
        self.to(clip.device)

    @property
    def clip(self) -> FrozenCLIP:
        """The CLIP this adapter was made for."""
        return self._clip[0]

    def forward(self, pictures: Tensor, trace: Trace | None = None) -> Tensor:
        """Features after unlearning: (B, 3, S, S) → (B, feature_size), of length 1."""
        return self.clip.encode_image(pictures, self.vision, self.instapg, trace=trace)

    def class_features(self, class_names: Sequence[str] | None = None) -> Tensor:
        """(C, feature_size), of length 1: fixed, or with the learned context if there is one.

        Of the adapter's own classes, or of ``class_names``: unlearning may be measured on others.
        """
        names = self.class_names if class_names is None else tuple(class_names)
        if self.text is not None or names != self.class_names:
            return self.clip.class_features(names, self.text)
        return self._class_features

    def logits(self, features: Tensor, class_names: Sequence[str] | None = None) -> Tensor:
        """Class logits of features: (B, feature_size) → (B, C), see ``class_features``."""
        return self.clip.logit_scale * features @ self.class_features(class_names).T

    # On disk: adapter.safetensors and adapter.json.

    def save(self, folder: str | Path) -> None:
        """Write ``adapter.safetensors`` and ``adapter.json`` into ``folder``, made if missing."""
        about = {
            "schema": SCHEMA,
            "clip": {
                "name": self.clip.name,
                "pretrained": self.clip.pretrained,
                "fingerprint": self.clip.fingerprint,
            },
            "classes": self.class_names,
            "domains": self.domain_names,
            "forget": self.forget,
            "settings": asdict(self.settings),
        }
        write_tensors(Path(folder) / "adapter.safetensors", self.state_dict())
        write_json(Path(folder) / "adapter.json", about)

    @classmethod
    def load(
        cls, folder: str | Path, clip: FrozenCLIP, class_names: Sequence[str] | None = None
    ) -> Adapter:
        """The adapter that ``save`` wrote into ``folder``, for the CLIP it was made with.

        Raises ``FileNotFoundError`` for a missing file, ``ValueError`` for a broken one, and
        ``ValueError`` that says what differs if ``clip`` is another CLIP than the adapter's, or
        ``class_names``, where given, are other classes.
        """
        about = read_about(folder)
        made_for = about["clip"]
        if made_for["fingerprint"] != clip.fingerprint:
            raise ValueError(
                f"{folder} was made for CLIP {made_for['name']!r} {made_for['pretrained']!r} with "
                f"fingerprint {made_for['fingerprint']}, not for {clip.name!r} "
                f"{clip.pretrained!r} with {clip.fingerprint}: load that CLIP, or run again"
            )
        if class_names is not None and tuple(class_names) != tuple(about["classes"]):
            missing = [name for name in class_names if name not in about["classes"]]
            gone = [name for name in about["classes"] if name not in class_names]
            raise ValueError(
                f"{folder} was made for other classes: it lacks {missing or 'none'} and knows "
                f"{gone or 'none'} besides{'' if missing or gone else '; only the order differs'}"
            )
        adapter = cls(
            clip,
            about["classes"],
            about["domains"],
            about["forget"],
            Settings.from_dict(about["settings"], folder),
        )
        weights, _ = read_tensors(Path(folder) / "adapter.safetensors")
        try:
            adapter.load_state_dict(weights)
        except RuntimeError as error:
            raise ValueError(
                f"{folder}: adapter.safetensors does not fit its JSON: {error}"
            ) from None
        return adapter.eval()


def read_about(folder: str | Path) -> dict[str, Any]:
    """``adapter.json`` of a folder, checked: which CLIP, classes, domains and settings."""
    path = Path(folder) / "adapter.json"
    about = read_json(path)
    wanted = {"schema", "clip", "classes", "domains", "forget", "settings"}
    if not isinstance(about, dict) or not wanted <= about.keys():
        raise ValueError(f"{path} does not describe an adapter: it must hold {sorted(wanted)}")
    if about["schema"] != SCHEMA:
        raise ValueError(f"{path} has schema {about['schema']}, this version reads {SCHEMA}")
    checked: dict[str, Any] = about
    return checked


def _classifier(size: int, hidden: int, domains: int, generator: torch.Generator) -> nn.Module:
    """Features to domain logits: linear, or with one hidden layer."""
    widths = [size, hidden, domains] if hidden else [size, domains]
    layers: list[nn.Module] = []
    for width, following in pairwise(widths):
        linear = nn.Linear(width, following)
        nn.init.xavier_uniform_(linear.weight, generator=generator)
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])
