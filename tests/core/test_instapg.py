import pytest
import torch

from adu_core import Adapter, FrozenCLIP, InstaPG, Splits, method


def make(wiring: str = "add", block: int = 1) -> InstaPG:
    generator = torch.Generator().manual_seed(0)
    return InstaPG(12, 3, block, wiring=wiring, generator=generator)  # type: ignore[arg-type]


def learn_something(instapg: InstaPG) -> None:
    """Where answers are added the last projection starts at zero."""
    if instapg.wiring != "every":
        torch.nn.init.normal_(instapg.output.weight, generator=torch.Generator().manual_seed(0))


TOKENS, PATCHES = torch.randn(4, 5, 12), torch.randn(2, 9, 12)


@pytest.mark.parametrize("wiring", ["every", "add", "each", "replace"])
def test_every_picture_gets_prompts_of_its_own(wiring: str) -> None:
    instapg = make(wiring)
    learn_something(instapg)
    own = instapg(TOKENS, PATCHES)
    assert own.shape == (1 if wiring == "every" else 3, 2, 5, 12)
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


def test_in_every_block_the_prompts_ask_its_own_patches(tiny_clip: FrozenCLIP, few: Splits) -> None:
    """The authors' figure, by hand: from the block on, answers stand where prompts stood."""
    names = few.shots.class_names, few.shots.domain_names
    settings = method("instapg", instapg_block=1, prompt_std=0.3)
    adapter = Adapter(tiny_clip, *names, ["sketch"], settings)  # type: ignore[arg-type]
    instapg, tower = adapter.instapg, tiny_clip.tower
    assert instapg is not None
    assert instapg.wiring == "every"
    tokens, pictures = adapter.vision.tokens, few.test.pictures[:2]
    with torch.no_grad():
        x = tower.embed(tiny_clip.normalise(pictures))
        own = x.shape[1]
        for number in range(len(tiny_clip.blocks)):
            prompts = tower.enter(tokens[:1])[0] if number == 0 else tokens[number]
            patches = instapg.patch_norm(x[:, tower.prefix : own])
            if number:
                query = instapg.query(instapg.prompt_norm(prompts))
                scores = query @ instapg.key(patches).mT / tiny_clip.width**0.5
                prompts = scores.softmax(dim=-1) @ instapg.value(patches)
            x = torch.cat([x[:, :own], prompts.expand(len(x), -1, -1)], dim=1)
            x = tower.run(number, x)
        wanted = torch.nn.functional.normalize(tower.pool(x[:, :own]), dim=-1)
        torch.testing.assert_close(adapter(pictures), wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize("wiring", ["every", "add"])
def test_the_gradient_reaches_every_part(wiring: str) -> None:
    instapg = make(wiring)
    learn_something(instapg)
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


@pytest.mark.parametrize("wiring", ["every", "add", "each", "replace"])
def test_a_pictures_features_are_its_own_whatever_batch_it_is_in(
    wiring: str, tiny_clip: FrozenCLIP, few: Splits
) -> None:
    """Each picture's prompts come from its own patches, not from the first picture's."""
    names = few.shots.class_names, few.shots.domain_names
    settings = method("full", "mini", instapg_wiring=wiring, prompt_std=0.3)
    adapter = Adapter(tiny_clip, *names, ["sketch"], settings)  # type: ignore[arg-type]
    assert adapter.instapg is not None
    learn_something(adapter.instapg)
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
