"""CoOp with the memorize and forget losses: only learned words before the class's name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from adu_core import losses
from adu_core.clip import TEMPLATE
from adu_core.loop import Batch, Loop, Steps, train
from adu_core.prompts import TextPrompts
from adu_core.rivals.views import encode_views
from adu_core.settings import setting
from adu_core.task import Method, Model, Task

#: What stands behind learned tokens: "a photo of a {class}", or the name alone.
Sentence = Literal["photo", "name"]
SENTENCES: Mapping[Sentence, str] = {"photo": TEMPLATE, "name": "{}."}


class Context(Model):
    """The frozen CLIP with a learned context: "[v1] … [vP] a photo of a {class}", or "… {class}.".

    Pictures' features stay the same: it can forget only by moving the classes' features.
    ``text.tokens`` is (P, width of the text tower); any names are encoded with them.
    """

    text_changes = True

    def __init__(
        self,
        task: Task,
        method: Method,
        count: int,
        init_std: float,
        generator: torch.Generator,
        sentence: Sentence,
    ) -> None:
        super().__init__(task, method)
        self.template = SENTENCES[sentence]
        width = task.clip.text_width
        self.text = TextPrompts(count, width, init_std=init_std, generator=generator)
        self.to(task.clip.device)

    def sentences(self, texts: Sequence[str]) -> Tensor:
        """Features of sentences with the context in them: T texts → (T, feature_size)."""
        return self.clip.encode_text(texts, self.text)


def check_room(task: Task, count: int, sentence: Sentence) -> None:
    """Raise ``ValueError`` if ``count`` learned tokens leave no room for the longest name."""
    generator = torch.Generator().manual_seed(0)
    context = TextPrompts(count, task.clip.text_width, init_std=0.0, generator=generator)
    with torch.no_grad():
        names, template = task.shots.class_names, SENTENCES[sentence]
        task.clip.class_features(names, context.to(task.clip.device), template)


@dataclass(frozen=True)
class CoOp(Steps, Method):
    """Context optimisation (Zhou et al., "Learning to Prompt for VLMs", IJCV 2022).

    A context of ``tokens`` learned tokens, the same for all classes (CoOp's unified context), comes
    before the name, as in CoOp, or before "a photo of a {class}", like the text prompts of
    ``full``. It is trained with L_memorize + forget_weight · L_forget instead of CoOp's
    cross-entropy, as the rivals of ADU are, and the last step is kept, as in CoOp. Tokens, their
    standard deviation and the learning rate are CoOp's; epochs are ADU's 50, and each shot is seen
    as ``views`` crops, encoded once, all in one step [choice].
    """

    name = "coop"
    summary = "text prompts alone"
    source = "Zhou et al., IJCV 2022"
    undo = "leave the context out"
    small = {
        "tokens": 4,
        "sentence": "photo",
        "views": 2,
        "epochs": 8,
        "learning_rate": 0.1,
        "forget_weight": 0.3,
    }

    tokens: int = setting(
        16, "learned text tokens before the name", least=1, most=512, search=(2, 4, 8)
    )
    sentence: Sentence = setting("name", "what stands behind the tokens", search=("name", "photo"))
    init_std: float = setting(0.02, "of the tokens' first values", least=0)
    views: int = setting(
        4, "of each shot, encoded once: itself, then crops", least=1, most=1000, search=(1, 2, 4, 8)
    )
    learning_rate: float = setting(
        0.002, "the highest, after one epoch", least=0, search=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
    )
    forget_weight: float = setting(1.0, "of L_forget", least=0, search=(0.1, 0.3, 1.0, 3.0, 10.0))

    def search(self) -> dict[str, tuple[Any, ...]]:
        """What a fair search tries."""
        return super().search() | {"epochs": (6, 12, 25, 50)}

    def check(self, task: Task) -> None:
        """Raise ``ValueError`` too if the tokens leave no room for the names."""
        super().check(task)
        check_room(task, self.tokens, self.sentence)

    def start(self, task: Task, seed: int = 0) -> Context:
        """Tokens as they are drawn, before a step."""
        generator = torch.Generator().manual_seed(seed)
        return Context(task, self, self.tokens, self.init_std, generator, self.sentence)

    def fit(self, task: Task, seed: int = 0, run: Loop | None = None) -> Context:
        """Teach the context by gradient steps over the shots; no gradient enters the pictures."""
        model = self.start(task, seed)
        features = encode_views(
            task.clip, task.shots, self.views, seed=seed, crop=self.crop, flip=self.flip
        )

        def loss(batch: Batch) -> losses.Losses:
            seen = features[:, batch.index].flatten(0, 1)  # (views · B, E), one view after another
            labels, forgotten = batch.labels.repeat(self.views), batch.forgotten.repeat(self.views)
            return losses.memorize_and_forget(
                model.logits(seen), labels, forgotten, self.forget_weight
            )

        train(model, task.shots, task.forgotten, self, loss, seed=seed, run=run)
        return model.eval()
