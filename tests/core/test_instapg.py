import pytest
import torch

from adu_core import Adapter, FrozenCLIP, InstaPG, Splits, method


def make(wiring: str = "add", block: int = 1) -> InstaPG:
    generator = torch.Generator().manual_seed(0)
    return InstaPG(12, 3, block, wiring=wiring, generator=generator)  # type: ignore[arg-type]


TOKENS, PATCHES = torch.randn(4, 5, 12), torch.randn(2, 9, 12)


@pytest.mark.parametrize("wiring", ["add", "each", "replace"])
def test_every_picture_gets_prompts_of_its_own(wiring: str) -> None:
    instapg = make(wiring)
    torch.nn.init.normal_(instapg.output.weight)
    own = instapg(TOKENS, PATCHES)
    assert own.shape == (3, 2, 5, 12)
    assert (own[:, 0] - own[:, 1]).abs().max() > 1e-3
    same = instapg(TOKENS, PATCHES[:1].expand(2, -1, -1))
    assert torch.allclose(same[:, 0], same[:, 1], atol=1e-6)


@pytest.mark.parametrize("wiring", ["add", "each"])
def test_training_starts_from_plain_prompts(wiring: str) -> None:
    own = make(wiring)(TOKENS, PATCHES)
    assert torch.equal(own, TOKENS[1:, None].expand(-1, 2, -1, -1))


def test_wirings_differ_in_who_asks_and_what_becomes_of_it() -> None:
    add, each, replaced = (make(wiring) for wiring in ("add", "each", "replace"))
    for instapg in (each, replaced):
        instapg.load_state_dict(add.state_dict())
    for instapg in (add, each, replaced):
        torch.nn.init.eye_(instapg.output.weight)
    later = TOKENS[1:, None]
    answers = add(TOKENS, PATCHES) - later
    assert torch.allclose(answers[0], answers[2], atol=1e-5)
    assert torch.allclose(replaced(TOKENS, PATCHES), answers, atol=1e-5)
    own = each(TOKENS, PATCHES) - later
    assert torch.allclose(own[0], answers[0], atol=1e-5)  # the first block's prompts ask alike
    assert not torch.allclose(own[2], answers[2], atol=1e-3)


def test_the_gradient_reaches_every_part() -> None:
    instapg = make()
    torch.nn.init.normal_(instapg.output.weight)
    instapg(TOKENS, PATCHES).square().sum().backward()
    for name, parameter in instapg.named_parameters():
        assert parameter.grad is not None, name
        # A bias on all keys alike changes no attention weight.
        assert parameter.grad.abs().max() > 1e-6 or name == "key.bias", name


def test_bad_settings_are_refused() -> None:
    generator = torch.Generator()
    with pytest.raises(ValueError, match="5 heads do not divide"):
        InstaPG(12, 5, 0, generator=generator)
    with pytest.raises(ValueError, match="no wiring 'mul'"):
        InstaPG(12, 3, 0, wiring="mul", generator=generator)  # type: ignore[arg-type]


@pytest.mark.parametrize("wiring", ["add", "each", "replace"])
def test_a_pictures_features_are_its_own_whatever_batch_it_is_in(
    wiring: str, tiny_clip: FrozenCLIP, few: Splits
) -> None:
    """Each picture's prompts come from its own patches, not from the first picture's."""
    names = few.shots.class_names, few.shots.domain_names
    settings = method("full", "mini", instapg_wiring=wiring, prompt_std=0.3)
    adapter = Adapter(tiny_clip, *names, ["sketch"], settings)  # type: ignore[arg-type]
    assert adapter.instapg is not None
    torch.nn.init.normal_(adapter.instapg.output.weight, generator=torch.Generator().manual_seed(0))
    pictures = few.test.pictures[::7]
    assert len(pictures) >= 4
    with torch.no_grad():
        together = adapter(pictures)
        for number, picture in enumerate(pictures):
            assert (adapter(picture[None])[0] - together[number]).abs().max() < 1e-5
        turned = adapter(pictures.flip(0)).flip(0)
        plain = tiny_clip.encode_image(pictures, adapter.vision)
    assert (turned - together).abs().max() < 1e-5
    assert (plain - together).abs().max() > 1e-3  # InstaPG does say something
