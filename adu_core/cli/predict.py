"""Classify pictures.

Classify pictures with a model that `adu run --save` kept, before and after unlearning. A folder
stands for all pictures in it and below it. Where the model gives no answer, as a gate does, it says
"refused".

With --json, a line of JSON for each picture: file, before, after, refused. before and after are
lists of {"class": …, "probability": …}, the most probable first; after is empty if refused is
true.

A picture that cannot be read is named on stderr, a line each, and all others are answered; the
exit status is then 2.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adu_core.cli import options
from adu_core.clips.grammar import clip_from
from adu_core.machine.device import check_device, resolved
from adu_core.show.names import padded, printable, width

if TYPE_CHECKING:
    from adu_core.task import Model

SUMMARY = "classify pictures, before and after unlearning"
EXAMPLES = """\
examples:
  adu predict --adapter runs/first picture.jpg
  adu predict --adapter runs/first --top 3 holiday/ more/*.png
  adu predict --adapter runs/first --json holiday/ > answers.jsonl
"""
#: So many pictures are read and answered at a time.
BATCH = 64


def add(command: argparse.ArgumentParser) -> None:
    """The options."""
    add = command.add_argument
    add("--adapter", required=True, metavar="DIR", help="of `adu run --save`")
    add("--clip", metavar="CLIP", help="if it is not where the adapter says")
    options.add_device(command)
    add(
        "--top",
        type=options.count(1),
        default=1,
        metavar="K",
        help="the K most probable classes, or all if there are fewer (1)",
    )
    add("--json", action="store_true", help="a line of JSON for each picture")
    add("pictures", nargs="+", metavar="PICTURE", help="a file, or a folder")


def do(arguments: argparse.Namespace) -> int:
    """Check everything, then read and answer, a batch at a time; 2 if something was not read."""
    from tqdm import tqdm

    from adu_core.clips.load import load_clip
    from adu_core.rivals.saved import load_model, read_about

    check_device(arguments.device)
    about = read_about(arguments.adapter)
    name, pretrained = about.clip_name, about.pretrained
    if arguments.clip:
        name, pretrained = clip_from(arguments.clip)
    files, bad = list[str](), 0
    for place in arguments.pictures:
        try:
            files += _files(place)
        except OSError as error:
            bad += _complain(error)
    if not files:
        return 2
    device = resolved(arguments.device, (name, pretrained))
    model = load_model(arguments.adapter, load_clip(name, pretrained, device))
    options.say_where(arguments, [(name, pretrained)])
    table = None if arguments.json else _Table(model, files)
    if table:
        print(table.line("picture", "before", f"after forgetting {model.target}"))
    with tqdm(total=len(files), desc="naming", leave=False, disable=len(files) <= BATCH) as bar:
        for start in range(0, len(files), BATCH):
            batch = files[start : start + BATCH]
            for answer in _answers(model, batch, arguments.top):
                if isinstance(answer, str):
                    bad += _complain(answer)
                else:
                    tqdm.write(table.rows(answer) if table else json.dumps(answer))
            bar.update(len(batch))
    return 2 if bad else 0


def _files(place: str) -> list[str]:
    """The pictures that a word of the command line stands for; an ``OSError`` if there is none."""
    from adu_core.data.folder import Folder

    if not Path(place).is_dir():
        if not Path(place).exists():
            raise FileNotFoundError(f"cannot read the picture {place}: there is no such file")
        return [place]
    found = [str(Path(path)) for path in Folder(place).below()]  # "a", not "./a"
    if not found:
        raise FileNotFoundError(f"there is no picture in {place} or below it")
    return found


def _complain(error: object) -> int:
    """Say on stderr what cannot be read, and count it."""
    from tqdm import tqdm

    tqdm.write(f"adu predict: {printable(' '.join(str(error).split()))}", file=sys.stderr)
    return 1


def _answers(model: Model, files: Sequence[str], top: int) -> Iterator[dict[str, Any] | str]:
    """The answer for each file, as ``--json`` prints it, or why it cannot be read."""
    import torch

    from adu_core.data.cache import decode_each
    from adu_core.data.picture import PictureError
    from adu_core.measure import class_logits, image_features

    shape = model.clip.preprocess
    pictures = torch.zeros(len(files), 3, shape.size, shape.size, dtype=torch.uint8)
    bad = {}
    for number, picture in enumerate(decode_each([Path(name) for name in files], shape)):
        if isinstance(picture, PictureError):
            bad[number] = str(picture)
        else:
            pictures[number] = picture
    with torch.no_grad():
        refused = model.refuses(pictures).tolist()
    named = []
    for which in (model.clip, model):
        logits = class_logits(which, image_features(which, pictures), model.class_names)
        found = logits.softmax(dim=1).topk(min(top, logits.shape[1]))
        named.append(
            [
                [
                    {"class": model.class_names[label], "probability": round(most, 6)}
                    for label, most in zip(*row, strict=True)
                ]
                for row in zip(found.indices.tolist(), found.values.tolist(), strict=True)
            ]
        )
    for number, (name, before, after, gone) in enumerate(zip(files, *named, refused, strict=True)):
        if number in bad:
            yield bad[number]
        else:
            after = [] if gone else after
            yield {"file": name, "before": before, "after": after, "refused": gone}


class _Table:
    """Answers in columns, wide enough for every name."""

    def __init__(self, model: Model, files: Sequence[str]) -> None:
        self.widths = (
            2 + max(width(printable(name)) for name in [*files, "picture"]),
            max(24, max(width(name) for name in model.class_names) + len(" 100 %  ")),
        )

    def line(self, *cells: str) -> str:
        """Cells side by side."""
        return "".join(map(padded, cells, (*self.widths, 0))).rstrip()

    def rows(self, answer: dict[str, Any]) -> str:
        """A line for each of the most probable classes."""
        before, after = (
            [f"{each['class']} {100 * each['probability']:.0f} %" for each in answer[when]]
            for when in ("before", "after")
        )
        if answer["refused"]:
            after = ["refused"]
        names = [printable(answer["file"])]
        return "\n".join(
            self.line(*cells) for cells in zip_longest(names, before, after, fillvalue="")
        )
