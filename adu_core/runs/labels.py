"""The domain labels that a method gets: true, partly wrong, guessed, or a placebo."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from adu_core.clip import FrozenCLIP
from adu_core.data.captioning import STYLE_WORDS
from adu_core.dataset import DomainDataset
from adu_core.rivals.evidence import of_copies, reachable, walk
from adu_core.runs.spec import check_labels
from adu_core.task import Task

#: How many of the first blocks k-means sees, as the gate does [choice].
BLOCKS = 4


def relabel(task: Task, labels: str, seed: int) -> Task:
    """The task with other domain labels; measuring goes by the true ones in any case.

    - ``true``: the labels as they are;
    - ``shuffled``: a placebo. Which pictures are to be forgotten stays true, all else that
      uses domain labels (L_domain, a gate's classifier, balanced batches) gets them permuted;
    - ``wrong:SHARE``: that share of the labels is another domain, drawn at random;
    - ``sentences``: no label is given. A picture's domain is the one whose sentences, "a sketch of
      a dog" for every class, the zero-shot CLIP likes best;
    - ``k-means``: no label is given. As many clusters as domains, in the statistics of the first
      blocks' tokens; clusters get the names that agree best with ``sentences``.

    But for the placebo, what is to be forgotten follows these labels. Raises
    ``ValueError`` for another word, and if by these labels there is nothing to forget.
    """
    check_labels(labels)
    if labels == "true":
        return task
    clip, shots, target = task.clip, task.shots, task.target
    generator = torch.Generator().manual_seed(seed)
    if labels == "shuffled":
        order = torch.randperm(len(shots), generator=generator)
        domains = shots.domains[order.to(shots.domains.device)]
        return replace(task, shots=replace(shots, domains=domains), known=target.mask(shots))
    if labels.startswith("wrong:"):
        domains = wrong(
            shots.domains, len(shots.domain_names), float(labels.partition(":")[2]), generator
        )
    elif labels == "sentences":
        domains = by_sentences(clip, shots).argmax(dim=1)
    else:
        domains = by_clusters(clip, shots, seed)
    try:
        return replace(task, shots=replace(shots, domains=domains.to(shots.domains)))
    except ValueError as error:
        raise ValueError(f"by the labels {labels!r}, {error}") from None


def wrong(domains: Tensor, count: int, share: float, generator: torch.Generator) -> Tensor:
    """Domains (N,) of which ``share``, rounded, are replaced by one of the others of ``count``."""
    places = torch.randperm(len(domains), generator=generator)[: round(share * len(domains))]
    shift = torch.randint(1, count, places.shape, generator=generator)
    changed = domains.clone()
    changed[places] = (changed[places] + shift.to(domains)) % count
    return changed


@torch.no_grad()
def by_sentences(clip: FrozenCLIP, shots: DomainDataset, batch: int = 128) -> Tensor:
    """How probable each domain is by the zero-shot CLIP: (N, domains), rows add up to 1."""
    sentences = [
        f"a {STYLE_WORDS.get(domain, domain)} of a {name}"
        for domain in shots.domain_names
        for name in shots.class_names
    ]
    words = clip.encode_text(sentences)
    found = [
        clip.similarity(clip.encode_image(part.to(clip.device)), words)
        .softmax(dim=1)
        .unflatten(1, (len(shots.domain_names), -1))
        .sum(dim=2)
        for part in shots.pictures.split(batch)
    ]
    return torch.cat(found).cpu()


def by_clusters(clip: FrozenCLIP, shots: DomainDataset, seed: int) -> Tensor:
    """Domains (N,) from k-means on early tokens, each cluster named by ``by_sentences``."""
    from scipy.optimize import linear_sum_assignment  # late: they take a second
    from sklearn.cluster import KMeans
    from sklearn.preprocessing import StandardScaler

    count = len(shots.domain_names)
    blocks = reachable(clip, BLOCKS)
    evidence = of_copies(
        clip, shots.pictures, lambda x: walk(clip, x, blocks)[0], copies=0, shift=0.0, seed=seed
    )
    points = StandardScaler().fit_transform(evidence[0].double().cpu().numpy())
    clusters = torch.from_numpy(KMeans(count, n_init=10, random_state=seed).fit_predict(points))
    likely = by_sentences(clip, shots)
    agreement = torch.stack([likely[clusters == number].sum(dim=0) for number in range(count)])
    rows, names = linear_sum_assignment(agreement.numpy(), maximize=True)
    name_of = torch.zeros(count, dtype=torch.int64)
    name_of[torch.from_numpy(rows)] = torch.from_numpy(names)
    return name_of[clusters.long()]
