"""Black-box forgetting: text prompts found by evolution, with no gradient of the CLIP."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from adu_core import losses
from adu_core.clip import FrozenCLIP, unit
from adu_core.loop import Loop, identity
from adu_core.rivals.coop import SENTENCES, Context, Sentence, check_room
from adu_core.rivals.views import Judge, Views
from adu_core.settings import setting
from adu_core.task import Method, Task

#: So many prompts go through the text tower at once, whatever the population [choice].
PROMPTS_AT_ONCE = 1024


class Latents(NamedTuple):
    """The fixed map from latent numbers to context tokens.

    Token p is mean + ``shared`` · z_0 + ``unique`` · z_p: one part of the latent numbers is shared
    by all tokens, the other is different for each (latent context sharing). The map's entries have
    the vocabulary's standard deviation, so tokens of latents from N(0, 1) have √(S + U) times it.

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
        spread = (words - mean).square().mean().sqrt()
        generator = torch.Generator().manual_seed(seed)
        drawn = torch.randn(len(mean), shared + unique, generator=generator).to(mean.device)
        return cls(drawn[:, :shared] * spread, drawn[:, shared:] * spread, mean)

    def tokens(self, common: Tensor, own: Tensor) -> Tensor:
        """Latent numbers (K, S) and (K, tokens, U) → contexts (K, tokens, width)."""
        common, own = common.to(self.mean), own.to(self.mean)
        contexts: Tensor = self.mean + (common @ self.shared.T)[:, None] + own @ self.unique.T
        return contexts


@torch.no_grad()
def candidate_losses(
    clip: FrozenCLIP,
    sentences: list[str],
    contexts: Tensor,
    features: Tensor,
    labels: Tensor,
    forgotten: Tensor,
    forget_weight: float,
) -> Tensor:
    """L_memorize + forget_weight · L_forget of each of K contexts, float64 on the CPU: (K,).

    sentences: one for each class, contexts (K, tokens, width), features (N, E) of the shots,
    labels (N,), forgotten (N,) bool. The text tower takes all contexts with all sentences at once,
    ``PROMPTS_AT_ONCE`` at the most.
    """
    count, found = len(sentences), []
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

    CMA-ES searches for a context of text tokens with low L_memorize + forget_weight · L_forget. It
    uses only the losses of a population of contexts at a time. A fixed random map makes each token
    from a shared and a unique latent vector, and each of these vectors has its own search. The best
    context has the highest H on validation pictures. Sizes, σ and population are the paper's.

    Chosen here [choice]: of each population, the context with the lowest loss is measured on
    validation pictures; all pictures are encoded once. A checkpoint keeps all losses: the search is
    replayed with them to where it stopped, and continues to the same bits.
    """

    name = "bbf"
    summary = "text prompts found without gradients"
    source = "Kuwana et al., NeurIPS 2024"
    undo = "leave the context out"
    chooses_step = True
    small = {"tokens": 4, "shared": 32, "unique": 8, "iterations": 200, "forget_weight": 10.0}

    tokens: int = setting(16, "text tokens before the name", least=1, most=512)
    sentence: Sentence = setting("name", "what stands behind the tokens", search=("name", "photo"))
    shared: int = setting(400, "latent numbers that all tokens share", least=1, most=10_000)
    unique: int = setting(100, "latent numbers of each token's own", least=1, most=10_000)
    sigma: float = setting(
        1.0, "of the first population", above=0, search=(0.03, 0.1, 0.3, 1.0, 3.0)
    )
    population: int = setting(20, "contexts in an iteration", least=4, most=10_000)
    iterations: int = setting(400, "of CMA-ES (paper: 400 to 800)", least=1, most=100_000)
    forget_weight: float = setting(1.0, "of L_forget", least=0, search=(0.3, 1.0, 3.0, 10.0, 30.0))

    def check(self, task: Task) -> None:
        """Raise ``ValueError`` too if the tokens leave no room for the names."""
        super().check(task)
        check_room(task, self.tokens, self.sentence)

    def start(self, task: Task, seed: int = 0) -> Context:
        """The context in the middle of the search: every token is the vocabulary's mean."""
        generator = torch.Generator().manual_seed(seed)
        model = Context(task, self, self.tokens, 0.0, generator, self.sentence)
        model.text.tokens.data[:] = self._latents(task.clip, seed).mean
        return model

    def fit(self, task: Task, seed: int = 0, run: Loop | None = None) -> Context:
        """Let CMA-ES search; the first iterations come from ``run.checkpoint`` if it is there."""
        model, run = self.start(task, seed), run or Loop(progress=False)
        sentences = [SENTENCES[self.sentence].format(name) for name in model.class_names]
        latents, searches = self._latents(task.clip, seed), self._searches(seed)
        shots, judge = self.encoded(task, seed), Judge(task)
        about = identity(model, task.shots, seed) if run.checkpoint else {}
        kept, _ = run.checkpoint.read(about) if run.checkpoint else ({}, [])
        seen = list(kept.get("losses", ()))
        known, best = len(seen), math.inf
        run.history.clear()
        rounds = range(self.iterations)
        bar = tqdm(rounds, "iterations", disable=not run.progress, leave=False)
        for number in bar:
            points = [search.ask() for search in searches]
            common, *own = (torch.from_numpy(np.stack(some)) for some in points)
            contexts = latents.tokens(common, torch.stack(own, dim=1))
            if number >= known:
                found = candidate_losses(task.clip, sentences, contexts, *shots, self.forget_weight)
                seen.append(found)
                if run.checkpoint:
                    run.checkpoint.write({"losses": torch.stack(seen)}, about, [])
            found = seen[number]
            for search, some in zip(searches, points, strict=True):
                search.tell(some, found.tolist())
            context = contexts[int(found.argmin())]
            with torch.no_grad():
                classes = unit(task.clip.text_tower.encode(sentences, context))
                if judge.better(task.clip.similarity(judge.features, classes)):
                    model.text.tokens.data[:] = context
            best = min(best, found.min().item())
            run.history.append({"total": found.mean().item(), "best": best, "h": judge.best})
            bar.set_postfix(best=f"{best:.2f}", H=f"{100 * judge.best:.1f}")
            if run.after_epoch and number >= known:
                run.after_epoch(number + 1, model)
        return model.eval()

    def _latents(self, clip: FrozenCLIP, seed: int) -> Latents:
        return Latents.draw(clip.words.detach(), self.shared, self.unique, seed)

    def _searches(self, seed: int) -> list[Any]:
        """One for the shared latent numbers, and one for each token's own."""
        import cma  # late: it takes matplotlib with it

        numbers = np.random.default_rng(seed)
        options = {
            "popsize": self.population,
            "randn": lambda *shape: numbers.standard_normal(shape),
            "seed": math.nan,  # numpy's own stream is another's
            "verbose": -10,
            "verb_log": 0,
        }
        sizes = [self.shared, *[self.unique] * self.tokens]
        return [cma.CMAEvolutionStrategy(np.zeros(size), self.sigma, options) for size in sizes]
