import pytest
import torch

from adu_core import FrozenCLIP, Splits, Target, method, unlearn
from adu_core.data.corruptions import CORRUPTIONS, corrupted
from adu_core.runs.records import to_table
from adu_core.runs.spec import Spec


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_each_changes_all_pictures_a_little_and_always_alike(name: str, few: Splits) -> None:
    found = corrupted(few.test, name)
    assert found.pictures.dtype == torch.uint8
    assert torch.equal(found.labels, few.test.labels)
    assert torch.equal(found.pictures, corrupted(few.test, name).pictures)
    apart = (found.pictures.float() - few.test.pictures.float()).abs().flatten(1).mean(dim=1)
    assert (apart > 0.5).all()
    assert apart.mean() < 80
    assert len(corrupted(few.test.subset(torch.arange(0)), name)) == 0


def test_noise_is_as_strong_as_its_name_says(few: Splits) -> None:
    grey = torch.full_like(few.test.pictures, 128)
    for sigma in (16, 24):
        noisy = CORRUPTIONS[f"noise {sigma}"](grey).float() - 128
        assert noisy.std().item() == pytest.approx(sigma, rel=0.02)


def test_a_run_measures_them_if_asked(mini: FrozenCLIP, few: Splits) -> None:
    spec = Spec(method("late-gate"), Target(("sketch",)), shots=2, measure=("corrupted",))
    record = unlearn(mini, few, spec, progress=False).record
    assert record["corrupted"].keys() == CORRUPTIONS.keys()
    row = to_table([record]).iloc[0]
    each = [row[f"h.{name}"] for name in CORRUPTIONS]
    assert row["h_corrupted"] == pytest.approx(sum(each) / len(each))
    assert len(set(each)) > 3
