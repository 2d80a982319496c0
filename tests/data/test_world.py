"""The drawn world: the same pictures for the same question, and pictures of what they should be."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from adu_core.data.world import CLASSES, DOMAINS, SEEN, SIZE, SPLITS, world
from adu_core.data.world.dice import Dice, roll
from adu_core.data.world.render import draw
from adu_core.data.world.styles import draw_styles
from adu_core.dataset import DomainDataset


def mixed_cells(count: int, seed: int = 5) -> tuple[Tensor, Tensor]:
    """Labels and domains in disorder."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(len(CLASSES), (count,), generator=generator)
    return labels, torch.randint(len(DOMAINS), (count,), generator=generator)


def render(labels: Tensor, domains: Tensor, *, seed: int, **more: Any) -> tuple[Tensor, Tensor]:
    """What ``draw`` makes of rolled rows."""
    return draw(labels, domains, roll(len(labels), torch.Generator().manual_seed(seed)), **more)


def distance(first: Tensor, second: Tensor) -> Tensor:
    """(N,) mean absolute difference of pictures, 0 to 255."""
    return (first.float() - second.float()).abs().mean((1, 2, 3))


@pytest.fixture(scope="module")
def pure() -> DomainDataset:
    return world("test", 6, classes=CLASSES, mix=0)


def test_same_question_same_bytes() -> None:
    labels, domains = mixed_cells(40)
    before = torch.random.get_rng_state()
    first, shift = render(labels, domains, mix=0.5, seed=3)
    again, shift_again = render(labels, domains, mix=0.5, seed=3)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert first.dtype == torch.uint8
    assert first.shape == (40, 3, SIZE, SIZE)
    assert shift.dtype == torch.float32
    assert torch.equal(first, again)
    assert torch.equal(shift, shift_again)
    other, _ = render(labels, domains, mix=0.5, seed=4)
    assert distance(first, other).min() > 5


def test_pictures_beside_it_and_after_it_leave_a_picture_alone() -> None:
    """Of one class 130 are more than are drawn at a time."""
    labels, domains = mixed_cells(130)
    whole, _ = render(labels * 0, domains, mix=0.5, seed=3)
    for count in (1, 23, 98):
        fewer, _ = render(labels[:count] * 0, domains[:count], mix=0.5, seed=3)
        assert torch.equal(whole[:count], fewer)


def test_a_cell_is_the_same_whatever_else_is_asked_for() -> None:
    many = world("train", 3, classes=("tree", "car", "cat"), seed=2)
    few = world("train", 2, classes=("car",), domains=("sketch", "real"), seed=2)
    assert (many.class_names, few.domain_names) == (("tree", "car", "cat"), ("sketch", "real"))
    for place, name in enumerate(few.domain_names):
        cell = (many.labels == 1) & (many.domains == DOMAINS.index(name))
        assert torch.equal(many.pictures[cell][:2], few.pictures[few.domains == place])
    assert few.counts().tolist() == [[2, 2]]


def test_splits_and_seeds_share_no_picture() -> None:
    parts = [
        world(split, 4, classes=("car", "key"), mix=0, seed=seed)
        for split in SPLITS
        for seed in (0, 1, 2**22 - 1)
    ]
    pictures = torch.cat([part.pictures for part in parts]).flatten(1)
    assert len(pictures.unique(dim=0)) == len(pictures) == 12 * 2 * 4 * 4


def test_size_makes_the_same_picture_finer() -> None:
    labels, domains = mixed_cells(80)
    usual, _ = render(labels, domains, mix=0.25, seed=1)
    finer, _ = render(labels, domains, mix=0.25, seed=1, size=2 * SIZE)
    assert finer.shape[-1] == 2 * SIZE
    off = distance(usual, F.avg_pool2d(finer.float(), 2))
    unrelated = distance(usual[1:], usual[:-1])
    assert off.max() < 14
    assert off.mean() < 5
    assert unrelated.mean() > 40


def test_domains_look_as_they_are_called(pure: DomainDataset) -> None:
    rgb = pure.pictures.float() / 255
    grey = rgb.mean(1)
    chroma = (rgb.amax(1) - rgb.amin(1)).flatten(1).quantile(0.97, dim=1)
    values = {
        "chroma": chroma,
        "contrast": grey.std((1, 2)),
        "edges": (grey[:, 1:, 1:] - grey[:, :-1, :-1]).abs().mean((1, 2)),
        "ground": grey.flatten(1).median(1).values,  # most of a picture is background
    }
    expected = {  # of real, painting, clipart and sketch
        "chroma": [(0.28, 0.45), (0.40, 0.57), (0.52, 0.66), (0, 0.03)],
        "contrast": [(0.14, 0.22), (0.14, 0.21), (0.23, 0.32), (0.14, 0.22)],
        "edges": [(0.03, 0.06), (0.05, 0.09), (0.05, 0.08), (0.06, 0.10)],
        "ground": [(0.5, 0.7), (0.48, 0.68), (0.82, 0.96), (0.9, 1.0)],
    }
    assert DOMAINS == ("real", "painting", "clipart", "sketch")
    for what, ranges in expected.items():
        for index, (low, high) in enumerate(ranges):
            mean = float(values[what][pure.domains == index].mean())
            assert low < mean < high, (what, DOMAINS[index], mean)
    assert chroma[pure.domains == DOMAINS.index("sketch")].max() < 0.15


def test_style_shift_follows_its_distribution() -> None:
    labels, domains = mixed_cells(50)
    assert render(labels, domains, mix=0, seed=0, size=8)[1].eq(0).all()
    rows = roll(20_000, torch.Generator().manual_seed(0))
    # t = 2·mix·U³ has mean mix/2 and standard deviation 2·mix·√(1/7 - 1/16).
    for mix in (0.25, 0.5):
        _, shift = draw_styles(Dice(rows), torch.arange(len(rows)) % len(DOMAINS), mix)
        error = 2 * mix * (1 / 7 - 1 / 16) ** 0.5 / len(shift) ** 0.5
        assert shift.min() >= 0
        assert 0.98 * 2 * mix < shift.max() <= 2 * mix
        assert shift.mean().item() == pytest.approx(mix / 2, abs=4 * error)


def test_a_full_shift_ends_at_the_mean_of_another_domain() -> None:
    rows = roll(900, torch.Generator().manual_seed(1))
    rows[:, len(draw_styles(Dice(rows), torch.zeros(900, dtype=torch.int64), 0)[0]) + 1] = 1
    style, shift = draw_styles(Dice(rows), torch.zeros(900, dtype=torch.int64), 0.5)
    assert shift.eq(1).all()
    whole = torch.cat([value.flatten(1) for value in style.values()], 1)
    ends, counts = whole.unique(dim=0, return_counts=True)
    assert len(ends) == len(DOMAINS) - 1
    assert counts.min() > 230


def test_mixing_moves_a_picture_towards_other_domains() -> None:
    still = world("test", 30, classes=("car", "cup"), mix=0)
    moved = world("test", 30, classes=("car", "cup"), mix=0.5)
    assert moved.style_shift is not None
    change = distance(still.pictures, moved.pictures)
    near, far = moved.style_shift < 0.01, moved.style_shift > 0.5
    assert near.sum() > 20
    assert far.sum() > 20
    assert change[near].max() < 4
    assert change[far].mean() > 15


@pytest.mark.parametrize("domain", ["clipart", "sketch"])
def test_classes_differ_in_their_silhouettes(domain: str) -> None:
    def silhouettes(split: str, per_class: int) -> tuple[Tensor, Tensor]:
        part = world(split, per_class, classes=CLASSES, domains=(domain,), mix=0)
        rgb = part.pictures.float() / 255
        paper = rgb[:, :, :2].mean((2, 3), keepdim=True)
        drawn = ((rgb - paper).abs().amax(1, keepdim=True) > 0.25).float()
        return F.avg_pool2d(drawn, 3).flatten(1), part.labels

    known, labels = silhouettes("train", 16)
    seen, truth = silhouettes("test", 5)
    means = torch.stack([known[labels == label].mean(0) for label in range(len(CLASSES))])
    right = torch.cdist(seen, means).argmin(1) == truth
    assert right.float().mean() > 0.85  # chance: 1 in 26


def test_objects_fill_the_frame_and_stay_inside() -> None:
    part = world("test", 6, classes=CLASSES, domains=("clipart",), mix=0)
    rgb = part.pictures.float() / 255
    drawn = (rgb - rgb[:, :, :2].mean((2, 3), keepdim=True)).abs().amax(1) > 0.25
    extent = torch.stack((drawn.any(1).sum(1), drawn.any(2).sum(1))).amax(0) / SIZE
    assert extent.mean() > 0.7
    assert extent.min() > 0.5
    border = torch.cat((drawn[:, 0], drawn[:, -1], drawn[:, :, 0], drawn[:, :, -1]), 1)
    assert border.any(1).float().mean() < 0.15


def test_colours_do_not_tell_the_class() -> None:
    part = world("train", 40, classes=SEEN, domains=("clipart",), mix=0)
    other = world("test", 10, classes=SEEN, domains=("clipart",), mix=0)

    def hue(data: DomainDataset) -> Tensor:
        rgb = data.pictures.float().flatten(2)
        strongest = (rgb.amax(1) - rgb.amin(1)).topk(80, dim=1).indices
        colour = rgb.gather(2, strongest[:, None].expand(-1, 3, -1)).mean(2)
        return colour - colour.mean(1, keepdim=True)

    means = torch.stack([hue(part)[part.labels == k].mean(0) for k in range(len(SEEN))])
    right = torch.cdist(hue(other), means).argmin(1) == other.labels
    assert right.float().mean() < 0.15  # chance: 1 in 16


def test_dice_hand_out_each_number_once() -> None:
    rows = roll(5, torch.Generator().manual_seed(0))
    assert torch.equal(rows[:2], roll(2, torch.Generator().manual_seed(0)))
    dice = Dice(rows)
    assert torch.equal(torch.cat((dice.uniform(3), dice.uniform(2)), 1), rows[:, :5])
    with pytest.raises(ValueError, match="a row has"):
        dice.uniform(rows.shape[1])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"classes": ("car", "zebra")}, "no class 'zebra'"),
        ({"classes": ("car", "car")}, "once"),
        ({"classes": ()}, "at least one"),
        ({"domains": ("photo",)}, "no domain 'photo'"),
        ({"split": "exam"}, "no split 'exam'"),
        ({"mix": 0.6}, "mix must be"),
        ({"mix": -0.1}, "mix must be"),
        ({"per_class": 0}, "per_class must be"),
        ({"seed": -1}, "seed must be"),
        ({"seed": 2**22}, "seed must be"),
        ({"size": 4}, "at least 8 pixels"),
        ({"move": ("photo", 0.5)}, "move is one of real"),
        ({"move": ("real", 1.5)}, "move is one of real"),
        ({"move": ("real", -0.1)}, "move is one of real"),
        ({"avoid": ("pencil",)}, "no domain to avoid 'pencil': choose from real, "),
    ],
)
def test_world_says_what_is_wrong(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        world(**({"per_class": 1} | wrong))  # type: ignore[arg-type]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_draws_the_same_pictures() -> None:
    labels, domains = mixed_cells(200)
    here, shift = render(labels, domains, mix=0.5, seed=3)
    there, same_shift = render(labels, domains, mix=0.5, seed=3, device="cuda")
    torch.testing.assert_close(shift, same_shift)
    assert distance(here, there.cpu()).mean() < 0.5


def test_a_move_takes_the_style_and_leaves_the_rest() -> None:
    """At 0 a picture is that of mix 0; on the way to another domain it nears the other's look."""
    kinds = {"classes": ("car", "fish"), "domains": ("sketch",)}
    still = world("test", 6, mix=0.0, **kinds)
    first, half, whole = (world("test", 6, move=("real", t), **kinds) for t in (0.0, 0.5, 1.0))
    assert torch.equal(first.pictures, still.pictures)
    assert torch.equal(half.style_shift, torch.full((12,), 0.5))
    colour = [
        (x.pictures.float().amax(dim=1) - x.pictures.float().amin(dim=1)).mean().item()
        for x in (first, half, whole)
    ]
    assert colour[0] < colour[1] < colour[2], "sketches have no colour, photos have"
    assert torch.equal(whole.labels, still.labels)


def test_what_would_lean_towards_an_avoided_domain_stays_at_home() -> None:
    """Only such pictures change: their style shift is 0, and all else of them stays."""
    kept = ("real", "painting", "clipart")
    usual = world("train", 40, classes=("car", "cup"), domains=kept)
    found = world("train", 40, classes=("car", "cup"), domains=kept, avoid=("sketch",))
    assert usual.style_shift is not None
    assert found.style_shift is not None
    home = found.style_shift == 0
    assert 0.2 < home.float().mean() < 0.47  # one of the three others
    assert torch.equal(found.pictures[~home], usual.pictures[~home])
    assert torch.equal(found.style_shift[~home], usual.style_shift[~home])
    pure = world("train", 40, classes=("car", "cup"), domains=kept, mix=0)
    assert torch.equal(found.pictures[home], pure.pictures[home])
