"""What a training run does to the same pictures, epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from adu_core.clip import FrozenCLIP
from adu_core.dataset import DomainDataset, Target
from adu_core.measure import accuracy_per_domain, class_logits, image_features, mem_for_h
from adu_core.task import Model


class Timeline:
    """Features and predictions of ``pictures`` before training (frame 0) and after every epoch.

    Pass ``timeline.record`` to ``fit`` as ``after_epoch``. Each of these has one entry per frame:

    epochs:       how many epochs were done
    features:     (N, feature_size) each
    labels:       (N,) each, the predicted class
    confidence:   (N,) each, its probability
    """

    def __init__(
        self, before: Model | FrozenCLIP, pictures: DomainDataset, forget: Sequence[str]
    ) -> None:
        target = Target(tuple(forget))
        target.check(pictures.class_names, pictures.domain_names)
        self.pictures, self.forget = pictures, target.domains
        self.epochs: list[int] = []
        self.features: list[Tensor] = []
        self.labels: list[Tensor] = []
        self.confidence: list[Tensor] = []
        self.record(0, before)

    @torch.no_grad()
    def record(self, epoch: int, model: Model | FrozenCLIP) -> None:
        """Add a frame: what ``model`` says of the pictures."""
        features = image_features(model, self.pictures.pictures)
        logits = class_logits(model, features, self.pictures.class_names)
        confidence, labels = logits.softmax(dim=1).max(dim=1)
        self.epochs.append(epoch)
        self.features.append(features.cpu())
        self.labels.append(labels.cpu())
        self.confidence.append(confidence.cpu())

    def accuracy(self, frame: int) -> dict[str, float]:
        """Accuracy in percent for each domain, at a frame (-1 is the last)."""
        data = self.pictures
        return accuracy_per_domain(
            self.labels[frame], data.labels.cpu(), data.domains.cpu(), data.domain_names
        )

    def metrics(self) -> list[dict[str, float]]:
        """Mem, For and H in percent, one dictionary for each frame."""
        return [mem_for_h(self.accuracy(frame), self.forget) for frame in range(len(self.epochs))]

    def embed(self, seed: int = 0) -> np.ndarray:
        """All frames as points in the plane: (frames, N, 2), by t-SNE.

        Each frame starts from the one before, so that a point can be followed with the eye.
        """
        from sklearn.manifold import TSNE  # late: it takes a second

        frames: list[np.ndarray] = []
        perplexity = min(30, (len(self.pictures) - 1) / 3)
        for features in self.features:
            first = not frames
            tsne = TSNE(
                perplexity=perplexity,
                init="pca" if first else frames[-1],
                early_exaggeration=12.0 if first else 1.0,
                max_iter=750 if first else 250,
                random_state=seed,
            )
            frames.append(tsne.fit_transform(features.numpy()))
        return np.stack(frames)
