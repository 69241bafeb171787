from dataclasses import replace

import pytest
import torch

from stylegan2_ada.networks import (
    Discriminator,
    DiscriminatorConfig,
    Generator,
    GeneratorConfig,
    mix_styles,
)
from stylegan2_ada.networks.discriminator import minibatch_deviation
from stylegan2_ada.networks.layers import Conv, Linear

G = GeneratorConfig(
    img_resolution=16,
    img_channels=1,
    c_dim=3,
    z_dim=8,
    w_dim=8,
    mapping_layers=2,
    channel_base=128,
    channel_max=8,
)
D = DiscriminatorConfig(
    img_resolution=16, img_channels=1, c_dim=3, channel_base=128, channel_max=8, mbstd_group=4
)
EYE = torch.eye(3)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def build(kind, config, seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = kind(config)
        for name, parameter in network.named_parameters():
            if name.endswith(("bias", "noise_strength")):  # zero at the start
                torch.nn.init.normal_(parameter, std=0.3)
    return network


@pytest.mark.parametrize("architecture", ["orig", "skip", "resnet"])
@pytest.mark.parametrize("size", [16, 24, 48])
@pytest.mark.parametrize("img_channels", [1, 3])
@pytest.mark.parametrize("c_dim", [0, 3])
def test_every_kind_gives_images_and_logits(architecture, size, img_channels, c_dim):
    changed = {"img_resolution": size, "img_channels": img_channels, "c_dim": c_dim}
    generator = Generator(replace(G, architecture=architecture, **changed))
    discriminator = Discriminator(replace(D, architecture=architecture, **changed))
    c = EYE[[0, 1, 2, 0]] if c_dim else None
    images = generator(torch.randn(4, 8), c)
    assert images.shape == (4, img_channels, size, size)
    logits = discriminator(images, c)
    assert logits.shape == (4,)
    logits.sum().backward()
    unused = [n for n, p in generator.named_parameters() if p.grad is None]
    unused += [n for n, p in discriminator.named_parameters() if p.grad is None]
    assert unused == []


def test_48_pixels_start_from_a_3x3_constant():
    generator = Generator(replace(G, img_resolution=48))
    assert generator.synthesis.b3.const.shape[1:] == (3, 3)
    blocks = [name for name, _ in generator.synthesis.named_children()]
    assert blocks == ["b3", "b6", "b12", "b24", "b48"]
    discriminator = Discriminator(replace(D, img_resolution=48))
    names = [name for name, _ in discriminator.named_children()]
    assert names == ["b48", "b24", "b12", "b6", "mapping", "b3"]


def test_weights_of_64_pixels_fit_48_up_to_the_constant_and_one_dense_layer():
    """The same channels block by block: what a fine-tune from 64 pixels relies on."""
    for kind, config, different in (
        (Generator, G, {"synthesis.b3.const"}),
        (Discriminator, D, {"b3.fc.weight"}),
    ):
        small = kind(replace(config, img_resolution=48))
        large = kind(replace(config, img_resolution=64))
        pairs = zip(small.named_parameters(), large.parameters(), strict=True)
        assert {name for (name, a), b in pairs if a.shape != b.shape} == different


def test_an_image_does_not_depend_on_its_batch():
    generator = build(Generator, G)
    z, c = torch.randn(5, 8, generator=seeded(1)), EYE[[0, 1, 2, 0, 1]]
    together = generator(z, c, psi=0.7)
    alone = torch.cat([generator(z[i : i + 1], c[i : i + 1], psi=0.7) for i in range(5)])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)


def test_the_condition_changes_the_image_and_the_logit():
    generator, discriminator = build(Generator, G), build(Discriminator, D)
    z = torch.randn(1, 8, generator=seeded(1))
    images = generator(z.expand(3, -1), EYE)
    assert (images[0] - images[1]).abs().max() > 1e-2
    logits = torch.cat([discriminator(images[:1], c[None]) for c in EYE])
    assert len(set(logits.tolist())) == 3


def test_conditions_need_not_be_one_hot():
    generator, discriminator = build(Generator, G), build(Discriminator, D)
    z, c = torch.randn(2, 8, generator=seeded(1)), torch.tensor([[0.2, 0.5, 0.9], [0.0, 1.0, 0.0]])
    images = generator(z, c)
    softer = generator(z, c * torch.tensor([1.0, 0.5, 1.0]))
    assert (images[0] - softer[0]).abs().max() > 1e-3
    assert torch.isfinite(discriminator(images, c)).all()


def test_noise_modes():
    generator = build(Generator, G)
    z, c = torch.randn(2, 8, generator=seeded(1)), EYE[:2]
    const, none = generator(z, c, noise="const"), generator(z, c, noise="none")
    assert torch.equal(const, generator(z, c, noise="const"))
    assert (const - none).abs().max() > 1e-3
    one = generator(z, c, noise="random", generator=seeded(5))
    assert torch.equal(one, generator(z, c, noise="random", generator=seeded(5)))
    assert not torch.equal(one, generator(z, c, noise="random", generator=seeded(6)))
    same = generator(z[:1].expand(2, -1), c[:1].expand(2, -1), noise="random", generator=seeded(5))
    assert not torch.equal(same[0], same[1])
    with pytest.raises(ValueError, match="noise=off"):
        generator(z, c, noise="off")


def test_style_mixing_switches_once_and_keeps_the_first_layer():
    ws, other = torch.zeros(200, 8, 2), torch.ones(200, 8, 2)
    mixed = mix_styles(ws, other, probability=0.9, generator=seeded(0))[:, :, 0]
    assert (mixed[:, 0] == 0).all()
    assert (mixed.diff(dim=1) >= 0).all()
    share = (mixed[:, -1] == 1).float().mean().item()
    assert 0.84 < share < 0.96  # 0.9 +- 3 deviations
    assert set(mixed.sum(1).int().tolist()) == set(range(8))
    assert torch.equal(mix_styles(ws, other, probability=0.0, generator=seeded(0)), ws)
    again = mix_styles(ws, other, probability=0.9, generator=seeded(0))[:, :, 0]
    assert torch.equal(mixed, again)


def test_minibatch_deviation_of_two_values():
    """Groups of 2 (images i and i + 2): {1, 3} has the deviation 1, {5, 5} has 0 (1e-4)."""
    x = torch.tensor([1.0, 5.0, 3.0, 5.0])[:, None, None, None].expand(4, 6, 2, 2)
    y = minibatch_deviation(x, group=2, maps=1)
    assert y.shape == (4, 1, 2, 2)
    torch.testing.assert_close(y[:, 0, 0, 0], torch.tensor([1.0, 1e-4, 1.0, 1e-4]))


@pytest.mark.parametrize(("batch", "size"), [(1, 1), (6, 3), (7, 1), (8, 4)])
def test_minibatch_deviation_groups_divide_the_batch(batch, size):
    """An image's value changes with those of its own group only."""
    x = torch.randn(batch, 4, 2, 2, generator=seeded(0))
    changed = x.clone()
    changed[0] += 1
    before = minibatch_deviation(x, group=4, maps=2)
    after = minibatch_deviation(changed, group=4, maps=2)
    differs = (before != after).flatten(1).any(1)
    group = [i for i in range(batch) if i % (batch // size) == 0]
    assert differs.nonzero()[:, 0].tolist() == (group if size > 1 else [])


def test_logits_do_not_depend_on_the_batch_without_minibatch_deviation():
    discriminator = build(Discriminator, replace(D, mbstd_channels=0))
    images, c = torch.randn(4, 1, 16, 16, generator=seeded(0)), EYE[[0, 1, 2, 0]]
    together = discriminator(images, c)
    alone = torch.cat([discriminator(images[i : i + 1], c[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)


def test_bfloat16_features_give_nearly_the_same_in_float32():
    generator, discriminator = build(Generator, G), build(Discriminator, D)
    z, c = torch.randn(4, 8, generator=seeded(1)), EYE[[0, 1, 2, 0]]
    images = generator(z, c)
    rough = generator(z, c, dtype=torch.bfloat16)
    assert rough.dtype == torch.float32
    assert 0 < (rough - images).norm() / images.norm() < 0.02
    logits = discriminator(images, c)
    rough = discriminator(images, c, dtype=torch.bfloat16)
    assert rough.dtype == torch.float32
    assert 0 < (rough - logits).norm() / logits.norm() < 0.05


@pytest.mark.parametrize("clamp", [None, 0.5])
def test_conv_clamp_bounds_the_features(clamp):
    layer = Conv(4, 4, kernel=3, clamp=clamp)
    y = layer(10 * torch.randn(1, 4, 8, 8, generator=seeded(0)))
    assert (y.abs().max() <= 0.5) == (clamp is not None)


def test_equalised_learning_rate_keeps_unit_deviation():
    """Weights of unit deviation divided by sqrt(fan-in): normal inputs give deviation 1."""
    torch.manual_seed(0)
    dense = Linear(512, 512)(torch.randn(256, 512))
    assert dense.std().item() == pytest.approx(1, abs=0.02)
    conv = Conv(64, 64, kernel=3, activation="linear")(torch.randn(4, 64, 16, 16))
    assert conv[:, :, 1:-1, 1:-1].std().item() == pytest.approx(1, abs=0.03)


def test_slow_layers_start_alike_and_move_slower():
    """lr_multiplier 0.01 stores weights 100 times as large and scales them back."""
    torch.manual_seed(0)
    slow = Linear(256, 256, lr_multiplier=0.01)
    assert slow.weight.std().item() == pytest.approx(100, rel=0.02)
    assert slow(torch.randn(64, 256)).std().item() == pytest.approx(1, abs=0.05)
