"""Name pictures.

What is in pictures, before and after unlearning, by a model that `adu run --save` kept.
"""

from __future__ import annotations

import argparse

from adu_core.clip.named import clip_from
from adu_core.device import check_device

SUMMARY = "name what is in pictures, before and after unlearning"
EXAMPLES = "example:\n  adu predict --adapter runs/first picture.jpg\n"


def add(command: argparse.ArgumentParser) -> None:
    """The options."""
    command.add_argument("--adapter", required=True, metavar="DIR", help="of `adu run --save`")
    command.add_argument("--clip", metavar="CLIP", help="if it is not where the adapter says")
    command.add_argument("--device", default="cpu")
    command.add_argument("pictures", nargs="+", metavar="PICTURE")


def do(arguments: argparse.Namespace) -> None:
    """Check everything, read the pictures, print."""
    import torch

    from adu_core.clip.load import load_clip
    from adu_core.data.picture import read_picture
    from adu_core.measure.accuracy import class_logits, image_features
    from adu_core.methods.saved import load_model, read_about

    check_device(arguments.device)
    about = read_about(arguments.adapter)
    name, pretrained = about.clip_name, about.pretrained
    if arguments.clip:
        name, pretrained = clip_from(arguments.clip)
    clip = load_clip(name, pretrained, arguments.device)
    model = load_model(arguments.adapter, clip)
    pictures = torch.stack([read_picture(path, clip.preprocess) for path in arguments.pictures])
    columns = []
    for which in (clip, model):
        features = image_features(which, pictures)
        logits = class_logits(which, features, model.class_names)
        confidence, label = logits.softmax(dim=1).max(dim=1)
        columns.append(
            [
                f"{model.class_names[i]} {100 * c:.0f} %"
                for i, c in zip(label.tolist(), confidence.tolist(), strict=True)
            ]
        )
    width = max(len(path) for path in arguments.pictures) + 2
    print(f"{'picture':<{width}}{'before':<24}after forgetting {model.target}")
    for path, before, after in zip(arguments.pictures, *columns, strict=True):
        print(f"{path:<{width}}{before:<24}{after}")
