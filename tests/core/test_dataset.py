"""Sampling: sizes, balance, disjointness, and the same seed giving the same pictures."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from adu_core.dataset import DomainDataset, Target, readable
from adu_core.loop import batch_indices

SEEDS = st.integers(0, 2**32)


def numbered(counts: list[list[int]]) -> DomainDataset:
    """``counts[class][domain]`` pictures of each, told apart by ``style_shift`` = 0, 1, 2, …"""
    labels = [label for label, row in enumerate(counts) for _ in range(sum(row))]
    domains = [domain for row in counts for domain, count in enumerate(row) for _ in range(count)]
    return DomainDataset(
        torch.zeros(len(labels), 3, 2, 2, dtype=torch.uint8),
        torch.tensor(labels, dtype=torch.int64),
        torch.tensor(domains, dtype=torch.int64),
        tuple(f"class {number}" for number in range(len(counts))),
        tuple(f"domain {number}" for number in range(len(counts[0]))),
        torch.arange(len(labels), dtype=torch.float32),
    )


def numbers(data: DomainDataset) -> list[int]:
    assert data.style_shift is not None
    return data.style_shift.int().tolist()


@st.composite
def datasets(draw: st.DrawFn, least: int = 1) -> DomainDataset:
    classes, domains = draw(st.integers(1, 4)), draw(st.integers(2, 4))
    row = st.lists(st.integers(least, 9), min_size=domains, max_size=domains)
    return numbered(draw(st.lists(row, min_size=classes, max_size=classes)))


@given(datasets(least=3), st.integers(1, 3), SEEDS)
def test_few_shot_takes_as_many_of_each_class_in_each_domain(data, shots, seed):
    sample = data.few_shot(shots, seed)
    assert (sample.counts() == shots).all()
    assert len(set(numbers(sample))) == len(sample)
    assert numbers(sample) == numbers(data.few_shot(shots, seed))


def test_another_seed_draws_other_shots():
    data = numbered([[50, 50]])
    assert numbers(data.few_shot(8, seed=0)) != numbers(data.few_shot(8, seed=1))


def test_too_few_pictures_for_the_shots_names_class_domain_and_remedy():
    with pytest.raises(ValueError, match=r"'class 1' has 2 .*'domain 0'.* at most 2"):
        numbered([[5, 5], [2, 5]]).few_shot(3)
    with pytest.raises(ValueError, match="shots must be 1 or more, not 0"):
        numbered([[5, 5]]).few_shot(0)


DOMAINS = st.lists(st.integers(0, 3), min_size=1, max_size=60).map(torch.tensor)


@given(DOMAINS, st.integers(1, 20), SEEDS, st.booleans())
def test_an_epoch_shows_every_picture_once(domains, batch_size, seed, balanced):
    def epoch() -> list[torch.Tensor]:
        generator = torch.Generator().manual_seed(seed)
        return list(batch_indices(domains, batch_size, generator, balanced))

    batches = epoch()
    assert torch.cat(batches).sort().values.tolist() == list(range(len(domains)))
    assert all(len(batch) == batch_size for batch in batches[:-1])
    assert all(one.equal(other) for one, other in zip(batches, epoch(), strict=True))


@settings(max_examples=200)
@given(DOMAINS, st.integers(1, 20), SEEDS)
def test_balanced_batches_differ_by_one_picture_per_domain_at_most(domains, batch_size, seed):
    left = torch.bincount(domains)
    present = left > 0
    for batch in batch_indices(domains, batch_size, torch.Generator().manual_seed(seed)):
        dealt = torch.bincount(domains[batch], minlength=len(left))
        left = left - dealt
        if not (left[present] > 0).all():
            break  # from here on a domain has run out
        assert dealt[present].max() - dealt[present].min() <= 1


def test_a_batch_of_nothing_is_refused():
    with pytest.raises(ValueError, match="batch size must be 1 or more, not 0"):
        next(batch_indices(torch.zeros(3, dtype=torch.int64), 0, torch.Generator()))


def test_names_are_made_readable_once():
    assert readable("art_painting") == "art painting"
    assert readable("  Real-World__View ") == "real world view"


@given(st.text())
def test_a_readable_name_stays_as_it_is(name):
    assert readable(readable(name)) == readable(name)


def test_forgotten_marks_the_pictures_of_the_named_domains():
    data = numbered([[1, 2, 1]])
    assert Target(("Domain_1",)).mask(data).tolist() == [False, True, True, False]
    assert Target(("domain 0", "domain 2")).mask(data).tolist() == [True, False, False, True]


def test_the_fingerprint_changes_with_a_pixel_a_label_and_a_name():
    data = numbered([[2, 2], [2, 2]])
    changed = [numbered([[2, 2], [2, 2]]) for _ in range(3)]
    assert {other.fingerprint() for other in changed} == {data.fingerprint()}
    changed[0].pictures[0, 0, 0, 0] += 1
    changed[1].labels[0] = 1
    changed[2] = DomainDataset(data.pictures, data.labels, data.domains, ("a", "b"), ("c", "d"))
    assert len({data.fingerprint(), *(other.fingerprint() for other in changed)}) == 4


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"pictures": torch.zeros(2, 2, 2)}, ValueError, r"must be \(N, 3, H, W\)"),
        ({"pictures": torch.zeros(2, 3, 2, 2)}, TypeError, "must be uint8"),
        ({"labels": torch.zeros(3, dtype=torch.int64)}, ValueError, r"labels must be \(2,\)"),
        ({"domains": torch.tensor([0, 2])}, ValueError, "domains run from 0 to 2, .* are 2 names"),
        ({"class_names": ("a", "a")}, ValueError, "not all different"),
    ],
)
def test_tensors_that_do_not_fit_together_are_refused(change, error, message):
    good = {
        "pictures": torch.zeros(2, 3, 2, 2, dtype=torch.uint8),
        "labels": torch.tensor([0, 0]),
        "domains": torch.tensor([0, 1]),
        "class_names": ("a",),
        "domain_names": ("c", "d"),
    }
    with pytest.raises(error, match=message):
        DomainDataset(**{**good, **change})
