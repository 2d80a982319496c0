"""A model on disk: ``adapter.safetensors`` and ``adapter.json``, whatever the method."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from adu_core.clip import FrozenCLIP
from adu_core.dataset import Target
from adu_core.machine.files import read_json, read_tensors, write_json, write_tensors
from adu_core.rivals.methods import from_dict, target_from_dict
from adu_core.task import Method, Model, Task

SCHEMA = 2
#: The files of a model.
MODEL = ("adapter.safetensors", "adapter.json")
#: What `adu run --save` and `adu audit` write into a folder; the record last, when all is there.
FILES = (
    "record.json", *MODEL, "history.json", "before_after.png", "MODEL_CARD.md", "audit.json",
    "audit.png",
)  # fmt: skip
#: What an interrupted run goes on from.
CHECKPOINT = "training.safetensors"
#: The folder of a search's records, and how these are called.
TRIALS, TRIAL = "trials", re.compile(r".+-seed\d+-[0-9a-f]{8}(\.failed)?\.json")


class About(NamedTuple):
    """The content of ``adapter.json``: the CLIP, names, target and method of a model."""

    clip_name: str
    pretrained: str | None
    fingerprint: str
    classes: tuple[str, ...]
    domains: tuple[str, ...]
    forget: Target
    method: Method


def save_model(model: Model, folder: str | Path) -> None:
    """Write ``adapter.safetensors`` and ``adapter.json`` into ``folder``, made if missing."""
    clip = model.clip
    about = {
        "schema": SCHEMA,
        "clip": {"name": clip.name, "pretrained": clip.pretrained, "fingerprint": clip.fingerprint},
        "classes": model.class_names,
        "domains": model.domain_names,
        "forget": model.target.as_dict(),
        "method": model.method.as_dict(),
    }
    write_tensors(Path(folder) / "adapter.safetensors", model.state_dict())
    write_json(Path(folder) / "adapter.json", about)


def refuse_finished(folder: Path) -> None:
    """Raise ``ValueError`` if a finished run is in ``folder``; one that was interrupted goes on."""
    record = (folder / "record.json").exists()
    if not record and (not (folder / "adapter.json").exists() or (folder / CHECKPOINT).exists()):
        return
    try:
        about = read_about(folder)
        what = f"a finished run ({about.method.name}: forget {about.forget})"
    except (OSError, ValueError):
        what = "a finished run"
    audit = " and its audit" if (folder / "audit.json").exists() else ""
    raise ValueError(
        f"--save {folder} holds {what}{audit}: say --force to replace it, or name another folder"
    )


def make_way(folder: Path, trials: Collection[str] = ()) -> None:
    """Remove from ``folder`` what another run and its audit left, and nothing that is not theirs.

    trials: the names of those records of a search that stay
    """
    for name in FILES:
        (folder / name).unlink(missing_ok=True)
    for path in (folder / TRIALS).glob("*.json"):
        if TRIAL.fullmatch(path.name) and path.name not in trials:
            path.unlink()
    if (folder / TRIALS).is_dir() and not any((folder / TRIALS).iterdir()):
        (folder / TRIALS).rmdir()


def fingerprint(folder: str | Path) -> str:
    """Sixteen hexadecimal digits of the two files of a model: another model, other digits."""
    digest = hashlib.sha256()
    for name in MODEL:
        digest.update((Path(folder) / name).read_bytes())
    return digest.hexdigest()[:16]


def load_model(
    folder: str | Path, clip: FrozenCLIP, class_names: Sequence[str] | None = None
) -> Model:
    """The model that ``save_model`` wrote into ``folder``, for the CLIP it was made with.

    Raises ``FileNotFoundError`` for a missing file, ``ValueError`` for a broken one, and
    ``ValueError`` that says what differs if ``clip`` is another CLIP than the model's, or
    ``class_names``, where given, are other classes.
    """
    about = read_about(folder)
    if about.fingerprint != clip.fingerprint:
        raise ValueError(
            f"{folder} was made for CLIP {about.clip_name!r} {about.pretrained or ''!r} with "
            f"fingerprint {about.fingerprint}, not for {clip.name!r} "
            f"{clip.pretrained!r} with {clip.fingerprint}: load that CLIP, or run again"
        )
    if class_names is not None and tuple(class_names) != about.classes:
        missing = [name for name in class_names if name not in about.classes]
        gone = [name for name in about.classes if name not in class_names]
        raise ValueError(
            f"{folder} was made for other classes: it lacks {missing or 'none'} and knows "
            f"{gone or 'none'} besides{'' if missing or gone else '; only the order differs'}"
        )
    task = Task.of_names(clip, about.classes, about.domains, about.forget)
    weights, _ = read_tensors(Path(folder) / "adapter.safetensors")
    try:
        model = about.method.start(task)
        model.load_state_dict(weights)
    except (ValueError, RuntimeError, MemoryError) as error:
        raise ValueError(f"{folder}: adapter.safetensors does not fit its JSON: {error}") from None
    return model.eval()


def read_about(folder: str | Path) -> About:
    """``adapter.json`` of a folder, every value checked; a ``ValueError`` names what is wrong."""
    path = Path(folder) / "adapter.json"
    about = read_json(path)
    wanted = {"schema", "clip", "classes", "domains", "forget", "method"}
    if not isinstance(about, dict) or "schema" not in about:
        raise ValueError(f"{path} does not describe an adapter: it must hold {sorted(wanted)}")
    if about["schema"] != SCHEMA:
        raise ValueError(
            f"{path} has schema {about['schema']!r}, this version reads {SCHEMA}: make it anew "
            "with `adu run --save`"
        )
    if about.keys() != wanted:
        raise ValueError(f"{path} must hold {sorted(wanted)}, not {sorted(about)}")
    clip = about["clip"]
    if (
        not isinstance(clip, dict)
        or clip.keys() != {"name", "pretrained", "fingerprint"}
        or not all(isinstance(value, str) for value in clip.values())
    ):
        raise ValueError(f"{path}: clip must hold name, pretrained and fingerprint as texts")
    classes, domains = (_names(about[key], key, path) for key in ("classes", "domains"))
    try:
        forget = target_from_dict(about["forget"], path)
        forget.check(classes, domains)
    except ValueError as error:
        raise ValueError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from None
    return About(
        clip["name"],
        clip["pretrained"] or None,
        clip["fingerprint"],
        classes,
        domains,
        forget,
        from_dict(about["method"], path),
    )


def _names(values: Any, key: str, path: Path) -> tuple[str, ...]:
    right = isinstance(values, list) and all(isinstance(name, str) and name for name in values)
    if not right or not values or len(set(values)) != len(values):
        raise ValueError(f"{path}: {key} must be a list of different names, not {values!r}")
    return tuple(values)
