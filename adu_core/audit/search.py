"""An attacker who searches: by many queries, or along the gradients of their own gate."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
import torchvision.transforms.v2.functional as tv
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from adu_core.audit.materials import Materials, right
from adu_core.audit.recovery import few
from adu_core.data.corruptions import jpeg, noise
from adu_core.dataset import DomainDataset
from adu_core.rivals.evidence import BATCH, Watch

#: A disguise counts if the frozen CLIP names so many percent of the disguised pictures [choice].
RECOGNISED = 80.0
#: How many pictures of each class an attacker asks about in each try.
ASKED = 4
#: How far a grey level of 255 may move, in how many steps of how much [choice].
REACH, STEPS, STEP = 8, 10, 2


def resampled(pictures: Tensor, share: float = 0.5) -> Tensor:
    """Pictures scaled to a share of their size and back: (B, 3, S, S) uint8."""
    size = pictures.shape[-1]
    few = max(1, round(share * size))
    return tv.resize(tv.resize(pictures, [few, few], antialias=True), [size, size], antialias=True)


def mixture(pictures: Tensor, generator: torch.Generator) -> tuple[str, Tensor]:
    """Pictures (B, 3, S, S) uint8 with a mixture of changes drawn at random, and its name."""

    def draw(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=generator))

    share, gamma, contrast = draw(0.4, 1.0), 2 ** draw(-1.3, 1.3), draw(0.4, 1.6)
    saturation, sigma, blur = draw(0.0, 2.0), draw(2, 32), draw(0.3, 1.5)
    quality = round(draw(8, 60))
    changes = {
        f"scale {share:.2f}": lambda x: resampled(x, share),
        f"gamma {gamma:.2f}": lambda x: tv.adjust_gamma(x, gamma),
        f"contrast {contrast:.2f}": lambda x: tv.adjust_contrast(x, contrast),
        f"saturation {saturation:.2f}": lambda x: tv.adjust_saturation(x, saturation),
        f"blur {blur:.2f}": lambda x: tv.gaussian_blur(x, [5, 5], [blur, blur]),
        f"noise {sigma:.0f}": noise(sigma, seed=4),
        f"JPEG {quality}": jpeg(quality),
    }
    chosen = (torch.rand(len(changes), generator=generator) < 0.4).tolist()
    named = []
    for (name, change), take in zip(changes.items(), chosen, strict=True):
        if take:
            named.append(name)
            pictures = change(pictures)
    return ", ".join(named) or "none", pictures


def queries(materials: Materials, pictures: DomainDataset, tries: int) -> tuple[str, DomainDataset]:
    """The best of ``tries`` random mixtures, as the attacker's own pictures say, on ``pictures``.

    The attacker asks the model about ``ASKED`` pictures of each class in each try, and takes the
    mixture with the most right answers among those whose pictures the frozen CLIP, which is public,
    still names in four of five cases.
    """
    attack = materials.attack
    own = attack.subset(few(attack, ASKED, seed=0))
    best, chosen = -1.0, 0
    for number in range(tries):
        _, changed = mixture(own.pictures.cpu(), torch.Generator().manual_seed(number))
        asked = replace(own, pictures=changed)
        score = right(materials.model, asked)
        if score > best and right(materials.frozen, asked) >= RECOGNISED:
            best, chosen = score, number
    name, changed = mixture(pictures.pictures.cpu(), torch.Generator().manual_seed(chosen))
    return f"best of {tries} tries: {name}", replace(pictures, pictures=changed)


def gradients(materials: Materials, pictures: DomainDataset) -> DomainDataset:
    """Pictures moved by at most ``REACH`` grey levels along the gradients of a gate's twin.

    The attacker fits a linear classifier of domains to their own pictures, on all that the frozen
    CLIP shows: the statistics of all its blocks and the feature. Each step lowers its log-odds for
    the forgotten domains and keeps the frozen CLIP's answer. The model itself is not asked.
    """
    clip, target = materials.clip, materials.model.target
    stolen, names = materials.stolen, materials.test.domain_names

    def look(x: Tensor) -> tuple[Tensor, Tensor]:
        watch = Watch(len(clip.blocks) - 1, clip.prefix)
        features = clip.encode_image(x, between=watch)
        return torch.cat([watch.evidence(), features.float()], dim=1), features

    with torch.no_grad():
        known = torch.cat([look(clip.normalise(b))[0] for b in stolen.pictures.split(BATCH)])
    mean, scale = known.mean(dim=0), known.std(dim=0) + 1e-6
    twin = LogisticRegression(C=1e-3, class_weight="balanced", max_iter=1000)
    twin.fit(((known - mean) / scale).cpu().double().numpy(), stolen.domains.cpu().numpy())
    weight, bias = (torch.from_numpy(x).to(mean) for x in (twin.coef_, twin.intercept_))
    if len(weight) == 1:  # of two domains, scikit-learn keeps the difference
        weight, bias = torch.cat([0 * weight, weight]), torch.cat([0 * bias, bias])
    gone = torch.tensor([name in target.domains for name in names], device=mean.device)
    words = clip.class_features(pictures.class_names)
    ends = clip.normalise(
        torch.tensor([0, 255], dtype=torch.uint8)[:, None, None, None].expand(2, 3, 1, 1)
    )
    level = (ends[1] - ends[0]) / 255  # of each colour, as the CLIP sees it

    def moved(batch: Tensor) -> Tensor:
        start = clip.normalise(batch)
        with torch.no_grad():
            answer = clip.similarity(clip.encode_image(start), words).argmax(dim=1)
        x = start.clone()
        for _ in range(STEPS):
            x.requires_grad_(True)
            evidence, features = look(x)
            logits = F.linear((evidence - mean) / scale, weight, bias)
            odds = logits[:, gone].logsumexp(1) - logits[:, ~gone].logsumexp(1)
            keep = F.cross_entropy(clip.similarity(features, words), answer, reduction="none")
            (slope,) = torch.autograd.grad((odds + keep).sum(), x)
            x = x.detach() - STEP * level * slope.sign()
            x = torch.minimum(torch.maximum(x, start - REACH * level), start + REACH * level)
            x = torch.minimum(torch.maximum(x, ends[0]), ends[1])
        return (255 * clip.pixels(x)).round().clamp(0, 255).to(torch.uint8).cpu()

    batches = pictures.pictures.split(BATCH)
    return replace(pictures, pictures=torch.cat([moved(batch) for batch in batches]))
