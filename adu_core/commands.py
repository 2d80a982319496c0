"""What the commands of ``adu`` do; ``cli`` says what they are called."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from adu_core import records
from adu_core.adapter import Adapter, read_about
from adu_core.checkpoints import load_clip
from adu_core.cli import clip_from, settings_from
from adu_core.data.folder import read_folder
from adu_core.data.picture import read_picture
from adu_core.data.sources import TRAIN, VALIDATION, load_splits, read_share
from adu_core.data.world import CLASSES, DOMAINS
from adu_core.data.world import world as draw_world
from adu_core.evaluation import class_logits, image_features
from adu_core.experiment import unlearn
from adu_core.files import read_json, write_json
from adu_core.pretraining import pretrain as train_clip
from adu_core.sweep import Job, jobs
from adu_core.sweep import sweep as run_sweep

#: Epochs and pictures per class and domain of `adu pretrain` on the world.
WORLD_EPOCHS, WORLD_PICTURES = 10, 250
FOLDER_EPOCHS = 40
SMOKE = {"epochs": 1, "pictures": 8}


def _check_device(name: str) -> None:
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"--device {name} does not work here: {error}") from None


def run(arguments: argparse.Namespace) -> None:
    """Do ``adu run``."""
    _check_device(arguments.device)
    settings, grid = settings_from(arguments)
    if grid:
        raise ValueError(
            f"--set {next(iter(grid))}: one value for a run (`adu sweep` takes several)"
        )
    settings = replace(settings, method=arguments.method)
    folder = Path(arguments.save) if arguments.save else None
    clip = load_clip(*clip_from(arguments.clip), arguments.device)
    splits = load_splits(
        arguments.data,
        size=clip.picture_size,
        shots=arguments.shots,
        seed=arguments.seed,
        mix=arguments.mix,
        limit=arguments.limit,
    )
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    done = unlearn(
        clip,
        splits,
        arguments.forget or ["sketch"],
        settings,
        seed=arguments.seed,
        on=arguments.on,
        config={"data": arguments.data, "shots": arguments.shots, "mix": arguments.mix},
        checkpoint=folder / "training.safetensors" if folder else None,
    )
    print(records.table(done.record))
    if arguments.json:
        write_json(arguments.json, done.record)
    if folder:
        write_json(folder / "record.json", done.record)
        write_json(folder / "history.json", done.history)
        if done.adapter is not None:
            done.adapter.save(folder)
        from adu_core import figures  # late: drawing takes seconds to import

        figures.save(figures.before_after(done), folder / "before_after.png")
        print(f"saved in {folder}: {', '.join(sorted(p.name for p in folder.iterdir()))}")


def sweep(arguments: argparse.Namespace) -> None:
    """Do ``adu sweep``."""
    _check_device(arguments.device)
    settings, grid = settings_from(arguments)
    template = Job(
        forget=(),
        settings=settings,
        data=arguments.data,
        clip=clip_from(arguments.clip),
        shots=arguments.shots,
        mix=arguments.mix,
        limit=arguments.limit,
        on=arguments.on,
        device=arguments.device,
    )
    if arguments.forget:
        cases = [tuple(case.split("+")) for case in arguments.forget]
    elif arguments.data == "world":
        cases = [(name,) for name in DOMAINS]
    else:
        root = arguments.data.removeprefix("folder:")
        few = read_folder(root, size=32, per_class_and_domain=1)
        cases = [(name,) for name in few.domain_names]
    work = jobs(
        template,
        methods=arguments.methods,
        forget=cases,
        seeds=range(arguments.first_seed, arguments.first_seed + arguments.seeds),
        grid=grid,
    )
    executor = None
    if arguments.slurm:
        executor = _slurm(arguments.slurm, Path(arguments.folder) / "slurm")
    paths = run_sweep(work, arguments.folder, processes=arguments.processes, executor=executor)
    _print_report(records.read_table(paths), ["method", *grid])


def _slurm(partition: str, folder: Path) -> Any:
    try:
        import submitit
    except ImportError:
        raise ImportError("--slurm needs submitit: pip install 'adu-core[cluster]'") from None
    executor = submitit.AutoExecutor(folder=folder, cluster="slurm")
    executor.update_parameters(slurm_partition=partition, timeout_min=240, gpus_per_node=1)
    return executor


def report(arguments: argparse.Namespace) -> None:
    """Do ``adu report``."""
    found = records.read_table(arguments.folder)
    _print_report(found, arguments.by)
    if arguments.fronts:
        print("\nMem-For fronts, each over the records of one method and forgotten domain:")
        print(records.fronts(found).to_string(index=False, float_format="%.1f"))


def _print_report(found: Any, by: list[str]) -> None:
    unknown = [name for name in by if name not in found.columns]
    if unknown:
        raise ValueError(f"--by {unknown[0]}: the columns are {', '.join(found.columns)}")
    print(records.summary(found, by).to_string(index=False, float_format="%.1f"))
    if by == ["method"] and "baseline" in set(found["method"]) and found["method"].nunique() > 1:
        print("\nH above the baseline's, paired by seed and domain:")
        print(records.differences(found).to_string(index=False, float_format="%.1f"))


def pretrain(arguments: argparse.Namespace) -> None:
    """Do ``adu pretrain``."""
    _check_device(arguments.device)
    if not arguments.out.endswith(".safetensors"):
        raise ValueError(f"--out {arguments.out}: name a file ending in .safetensors")
    epochs, count = arguments.epochs, arguments.pictures
    about: dict[str, Any] = {"source": arguments.data}
    if arguments.smoke:
        epochs, count = SMOKE["epochs"], SMOKE["pictures"]
    if arguments.data == "world":
        epochs, count = epochs or WORLD_EPOCHS, count or WORLD_PICTURES
        about |= {"mix": arguments.mix, "seed": arguments.seed}
        options = {"classes": CLASSES, "mix": arguments.mix, "size": arguments.size}
        pictures = draw_world("pretrain", count, seed=arguments.seed, **options)
        validation = draw_world("validation", min(count, 25), **options)
    else:
        epochs = epochs or FOLDER_EPOCHS
        pictures = read_share(arguments.data, TRAIN, arguments.size, count, arguments.seed)
        validation = read_share(arguments.data, VALIDATION, arguments.size)
    clip = train_clip(
        pictures,
        validation,
        arguments.out,
        epochs=epochs,
        seed=arguments.seed,
        device=arguments.device,
        about=about,
    )
    accuracy = read_json(Path(arguments.out).with_suffix(".json"))["zero_shot"]["accuracy"]
    print(f"zero-shot accuracy on {len(validation)} validation pictures, %:")
    for name, value in accuracy.items():
        print(f"  {name:<26}{value:>9.1f}")
    print(f"saved: {clip.name}; use it with `adu run --clip {clip.name}`")


def predict(arguments: argparse.Namespace) -> None:
    """Do ``adu predict``."""
    _check_device(arguments.device)
    made_for = read_about(arguments.adapter)["clip"]
    name, pretrained = made_for["name"], made_for["pretrained"] or None
    if arguments.clip:
        name, pretrained = clip_from(arguments.clip)
    clip = load_clip(name, pretrained, arguments.device)
    adapter = Adapter.load(arguments.adapter, clip)
    pictures = torch.stack([read_picture(path, clip.picture_size) for path in arguments.pictures])
    columns = []
    for which in (None, adapter):
        features = image_features(clip, pictures, which)
        logits = class_logits(clip, features, adapter.class_names, which)
        confidence, label = logits.softmax(dim=1).max(dim=1)
        columns.append(
            [
                f"{adapter.class_names[i]} {100 * c:.0f} %"
                for i, c in zip(label.tolist(), confidence.tolist(), strict=True)
            ]
        )
    width = max(len(path) for path in arguments.pictures) + 2
    print(f"{'picture':<{width}}{'before':<24}after forgetting {', '.join(adapter.forget)}")
    for path, before, after in zip(arguments.pictures, *columns, strict=True):
        print(f"{path:<{width}}{before:<24}{after}")


def world(arguments: argparse.Namespace) -> None:
    """Do ``adu world``."""
    pictures = draw_world(
        "validation",
        2,
        classes=CLASSES,
        mix=arguments.mix,
        seed=arguments.seed,
        size=arguments.size,
    )
    from adu_core import figures

    figures.save_sheet(pictures, arguments.out)
    print(f"saved: {arguments.out}, {len(CLASSES)} classes across, {len(DOMAINS)} domains down")
