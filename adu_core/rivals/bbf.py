"""Black-box forgetting: text prompts found by evolution, with no gradient of the CLIP."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from adu_core import losses
from adu_core.clip import TEMPLATE, FrozenCLIP, unit
from adu_core.loop import Loop, identity
from adu_core.rivals.coop import Context, check_room
from adu_core.rivals.views import Views
from adu_core.settings import setting
from adu_core.task import Method, Task

#: So many prompts go through the text tower at once, whatever the population [choice].
PROMPTS_AT_ONCE = 1024


class Latents(NamedTuple):
    """The fixed map from latent numbers to context tokens.

    Token p is mean + ``shared`` · z_0 + ``unique`` · z_p: one part of the latent numbers is shared
    by all tokens, one is the token's own (latent context sharing). Drawn so that for latents from
    N(0, 1) each number of a token varies as much as the vocabulary's do.

    shared (width, S), unique (width, U), mean (width,) of the vocabulary
    """

    shared: Tensor
    unique: Tensor
    mean: Tensor

    @classmethod
    def draw(cls, vocabulary: Tensor, shared: int, unique: int, seed: int) -> Latents:
        """The map for a word table (V, width), on its device. All-zero rows are no words.

        The mean is each number's own, the standard deviation that of all numbers around their
        means [choice].
        """
        words = vocabulary[vocabulary.any(dim=1)].float()
        mean = words.mean(dim=0)
        spread = (words - mean).square().mean().sqrt() / math.sqrt(shared + unique)
        generator = torch.Generator().manual_seed(seed)
        drawn = torch.randn(len(mean), shared + unique, generator=generator).to(mean.device)
        return cls(drawn[:, :shared] * spread, drawn[:, shared:] * spread, mean)

    def size(self, tokens: int) -> int:
        """How many latent numbers a context of so many tokens has."""
        return self.shared.shape[1] + tokens * self.unique.shape[1]

    def tokens(self, points: Tensor) -> Tensor:
        """Latent numbers (K, shared + tokens · unique) → contexts (K, tokens, width)."""
        points = points.to(self.mean)
        common, own = points[:, : self.shared.shape[1]], points[:, self.shared.shape[1] :]
        own = own.unflatten(1, (-1, self.unique.shape[1]))
        contexts: Tensor = self.mean + (common @ self.shared.T)[:, None] + own @ self.unique.T
        return contexts


@torch.no_grad()
def candidate_losses(
    clip: FrozenCLIP,
    class_names: tuple[str, ...],
    contexts: Tensor,
    features: Tensor,
    labels: Tensor,
    forgotten: Tensor,
    forget_weight: float,
) -> Tensor:
    """L_memorize + forget_weight · L_forget of each of K contexts, float64 on the CPU: (K,).

    contexts (K, tokens, width), features (N, E) of the shots, labels (N,), forgotten (N,) bool.
    The text tower takes all contexts with all names at once, ``PROMPTS_AT_ONCE`` at the most.
    """
    count, found = len(class_names), []
    sentences = [TEMPLATE.format(name) for name in class_names]
    for part in contexts.split(max(1, PROMPTS_AT_ONCE // count)):
        own = part.repeat_interleave(count, dim=0)  # each prompt has its own
        classes = unit(clip.text_tower.encode(sentences * len(part), own))
        for each in classes.split(count):
            logits = clip.similarity(features, each)
            parts = losses.memorize_and_forget(logits, labels, forgotten, forget_weight)
            found.append(parts.total.cpu().double())
    return torch.stack(found)


@dataclass(frozen=True)
class BBF(Views, Method):
    """Black-box forgetting (Kuwana et al., NeurIPS 2024), of domains instead of classes.

    CMA-ES looks for a context of text tokens with a low L_memorize + forget_weight · L_forget. It
    asks for the loss alone, of a population of contexts at a time; each token comes from a shared
    and a unique latent vector by a fixed random map. Sizes, σ and population are the paper's.

    Chosen here [choice]: the covariance is diagonal unless ``full_covariance``, as 8000 losses
    cannot show how 2000 numbers go together; the context stands before "a photo of a {class}"; the
    result is the best context that was met. Pictures are encoded once. A checkpoint keeps all
    losses: with them the search is played again up to where it stopped, and goes on to the same
    bits. With the small CLIP the lowest losses flatten the logits and leave the classes' order:
    hardly anything is forgotten by accuracy, whatever the forget weight.
    """

    name = "bbf"
    summary = "text prompts found without gradients"
    source = "Kuwana et al., NeurIPS 2024"
    undo = "leave the context out"
    small = {
        "tokens": 4,
        "shared": 32,
        "unique": 8,
        "iterations": 200,
        "full_covariance": True,
        "forget_weight": 10.0,
    }

    tokens: int = setting(16, "text tokens before the prompt's words", least=1, most=512)
    shared: int = setting(400, "latent numbers that all tokens share", least=0, most=10_000)
    unique: int = setting(100, "latent numbers of each token's own", least=1, most=10_000)
    sigma: float = setting(1.0, "of the first population", above=0, search=(0.3, 1.0, 3.0))
    population: int = setting(20, "contexts in an iteration", least=4, most=10_000)
    iterations: int = setting(400, "of CMA-ES (paper: 400 to 800)", least=1, most=100_000)
    full_covariance: bool = setting(
        False, "learn how latent numbers go together", search=(False, True)
    )
    forget_weight: float = setting(1.0, "of L_forget", least=0, search=(1.0, 10.0, 100.0))

    def check(self, task: Task) -> None:
        """Raise ``ValueError`` too if the tokens leave no room for the names."""
        super().check(task)
        check_room(task, self.tokens)

    def start(self, task: Task, seed: int = 0) -> Context:
        """The context in the middle of the search: every token is the vocabulary's mean."""
        model = Context(task, self, self.tokens, 0.0, torch.Generator().manual_seed(seed))
        model.text.tokens.data[:] = self._latents(task.clip, seed).mean
        return model

    def fit(self, task: Task, seed: int = 0, run: Loop | None = None) -> Context:
        """Let CMA-ES search; the first iterations come from ``run.checkpoint`` if it is there."""
        import cma  # late: it takes matplotlib with it

        model, run = self.start(task, seed), run or Loop(progress=False)
        clip, names = task.clip, model.class_names
        latents = self._latents(clip, seed)
        shots = self.encoded(task, seed)
        about = identity(model, task.shots, seed) if run.checkpoint else {}
        kept, _ = run.checkpoint.read(about) if run.checkpoint else ({}, [])
        seen = list(kept.get("losses", ()))
        known, best = len(seen), math.inf
        run.history.clear()
        numbers = np.random.default_rng(seed)
        search = cma.CMAEvolutionStrategy(
            np.zeros(latents.size(self.tokens)),
            self.sigma,
            {
                "popsize": self.population,
                "CMA_diagonal": not self.full_covariance,
                "randn": lambda *shape: numbers.standard_normal(shape),
                "seed": math.nan,  # numpy's own stream is another's
                "verbose": -10,
                "verb_log": 0,
            },
        )
        rounds = range(self.iterations)
        bar = tqdm(rounds, "iterations", disable=not run.progress, leave=False)
        for number in bar:
            points = search.ask()
            contexts = latents.tokens(torch.from_numpy(np.stack(points)))
            if number >= known:
                seen.append(candidate_losses(clip, names, contexts, *shots, self.forget_weight))
                if run.checkpoint:
                    run.checkpoint.write({"losses": torch.stack(seen)}, about, [])
            found = seen[number]
            search.tell(points, found.tolist())
            if found.min().item() < best:
                best = found.min().item()
                model.text.tokens.data[:] = contexts[int(found.argmin())]
            run.history.append({"total": found.mean().item(), "best": best})
            bar.set_postfix(best=f"{best:.2f}")
            if run.after_epoch and number >= known:
                run.after_epoch(number + 1, model)
        return model.eval()

    def _latents(self, clip: FrozenCLIP, seed: int) -> Latents:
        return Latents.draw(clip.words.detach(), self.shared, self.unique, seed)
