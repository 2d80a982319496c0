"""Trees of tiny pictures as people have them, for tests of what reads them."""

from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from adu_core import DomainDataset, load_splits
from adu_core.data.sources import TEST, TRAIN, VALIDATION, read_share


def draw(path: Path, colour: object = "red", size: tuple[int, int] = (8, 8)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def tree(root: Path, domains: Iterable[str], classes: Iterable[str], count: int) -> Path:
    """``count`` pictures of each, no two of one colour: red says the class, green the domain."""
    labels = list(classes)
    for number, domain in enumerate(domains):
        for label, name in enumerate(labels):
            for i in range(count):
                draw(root / domain / name / f"{i:02}.png", (label, number, i))
    return root


def write_pictures(root: Path, data: DomainDataset) -> Path:
    """A file for each picture, in the folder of its class in that of its domain."""
    for number, picture in enumerate(data.pictures):
        folder = root / data.domain_names[data.domains[number]]
        path = folder / data.class_names[data.labels[number]] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(path)
    return root


def write_lists(
    root: Path,
    parts: dict[str, dict[str, range]],
    classes: Iterable[str],
    first: int = 0,
    **more: str,
) -> Path:
    """``splits/<domain>_<part>.txt`` for the pictures of ``tree`` with these numbers."""
    folder = root / more.get("splits", "splits")
    folder.mkdir(parents=True, exist_ok=True)
    for domain, numbers in parts.items():
        for part, chosen in numbers.items():
            lines = [
                f"{domain}/{name}/{i:02}.png {first + label}"
                for label, name in enumerate(classes)
                for i in chosen
            ]
            (folder / f"{domain}_{part}{more.get('end', '')}.txt").write_text("\n".join(lines))
    return root


def share_colours(source: str) -> list[set[tuple[int, ...]]]:
    """The pictures of each share, as colours: (class, domain, number); checked to be disjoint."""
    shares = [
        {tuple(picture[:, 0, 0].tolist()) for picture in read_share(source, share, 4).pictures}
        for share in (TRAIN, VALIDATION, TEST)
    ]
    assert len(set().union(*shares)) == sum(map(len, shares))
    assert (load_splits(source, size=4, shots=1).shots.counts() == 1).all()
    return shares
