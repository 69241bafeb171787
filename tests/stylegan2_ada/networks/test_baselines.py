"""The networks of cGAN and AC-GAN: sizes, conditions, configs, batch normalisation."""

import json
from dataclasses import replace

import pytest
import torch

import stylegan2_ada as sg
from stylegan2_ada.networks import BatchNorm

KINDS = ("cgan", "acgan")


def networks(kind, *, res=8, channels=1, c_dim=2, base=64, width=8):
    sizes = {"kind": kind, "img_resolution": res, "img_channels": channels, "c_dim": c_dim}
    sizes |= {"embed_dim": 4, "channel_base": base, "channel_max": width}
    g = sg.PlainGenerator(sg.PlainGeneratorConfig(**sizes, z_dim=6))
    return g, sg.PlainDiscriminator(sg.PlainDiscriminatorConfig(**sizes))


# --- networks ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("res", "start"), [(16, 4), (32, 4), (48, 3), (6, 3)])
@pytest.mark.parametrize("channels", [1, 3])
def test_sizes(kind, res, start, channels):
    """Images of 2^k pixels grow from 4 x 4, those of 3 * 2^k from 3 x 3, and shrink to it."""
    g, d = networks(kind, res=res, channels=channels, c_dim=7)
    z, c = torch.randn(5, 6), torch.eye(7)[:5]
    images = g(z, c)
    assert images.shape == (5, channels, res, res)
    assert images.abs().max() <= 1
    assert g.synthesis.start == d.resolutions[-1] == start
    assert g.mapping(z, c).shape == (5, g.config.num_ws, g.config.w_dim) == (5, 1, 10)
    assert d(images, c).shape == (5,)
    if kind == "acgan":
        assert d.with_classes(images)[1].shape == (5, 7)


def test_style_is_z_and_a_linear_map_of_the_condition():
    """So a mixture of classes lies between them, whatever the numbers of a condition mean."""
    g, _ = networks("cgan", c_dim=3)
    z = torch.randn(1, 6)
    half, first, second = (
        g.mapping(z, torch.tensor([row])) for row in ([0.5, 0.5, 0.0], [1.0, 0, 0], [0, 1.0, 0])
    )
    torch.testing.assert_close(half, (first + second) / 2)
    torch.testing.assert_close(first[:, 0, :6], z)


def test_no_condition_at_all():
    """c_dim 0 is the DCGAN."""
    g, d = networks("cgan", c_dim=0)
    assert d(g(torch.randn(4, 6))).shape == (4,)


def test_only_the_cgan_shows_the_condition_to_its_discriminator():
    images = torch.rand(2, 1, 8, 8)
    one, other = torch.eye(2)[[0, 0]], torch.eye(2)[[1, 1]]
    for kind in KINDS:
        _, d = networks(kind)
        changed = not torch.allclose(d(images, one), d(images, other))
        assert changed == (kind == "cgan")


@pytest.mark.parametrize("kind", KINDS)
def test_a_logit_depends_on_its_own_image(kind):
    _, d = networks(kind)
    images, c = torch.rand(6, 1, 8, 8), torch.eye(2)[[0, 1, 0, 1, 0, 1]]
    torch.testing.assert_close(d(images, c)[2:3], d(images[2:3], c[2:3]))


def test_logits_of_both_calls_agree():
    _, d = networks("acgan")
    images = torch.rand(3, 1, 8, 8)
    assert torch.equal(d(images), d.with_classes(images)[0])


def test_psi_scales_z_toward_the_center_of_the_class():
    """w = (z, e(c)), its class centre (mean z, e(c)): truncation keeps the condition."""
    g, _ = networks("acgan")
    z, c = torch.randn(3, 6), torch.eye(2)[[0, 1, 1]]
    centers = sg.class_centers(
        g.mapping, torch.eye(2), latents=50, generator=torch.Generator().manual_seed(0)
    )
    mean = torch.randn(50, 6, generator=torch.Generator().manual_seed(0)).mean(0)
    ws = g.mapping(z, c, psi=0.25, center=sg.centers_of(c, centers))
    torch.testing.assert_close(ws[:, 0, :6], mean + 0.25 * (z - mean))
    torch.testing.assert_close(ws[:, 0, 6:], g.mapping.embed(c))


# --- configs -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_networks_are_built_again_from_json(kind):
    g, d = networks(kind, res=12)
    for network, build in ((g, sg.generator_of), (d, sg.discriminator_of)):
        values = json.loads(json.dumps(network.config.to_dict()))
        assert values["kind"] == kind
        again = build(values)
        assert type(again) is type(network)
        assert again.config == network.config
        again.load_state_dict(network.state_dict())


def test_without_a_kind_networks_are_those_of_stylegan2():
    """Descriptions written before there were kinds are still read; one may also say it."""
    sizes = {"img_resolution": 8, "img_channels": 1, "c_dim": 2, "channel_base": 64}
    sizes["channel_max"] = 8
    g = sg.GeneratorConfig(**sizes, z_dim=8, w_dim=8, mapping_layers=2)
    d = sg.DiscriminatorConfig(**sizes, mbstd_group=4)
    assert "kind" not in g.to_dict()
    for extra in ({}, {"kind": "stylegan2"}):
        assert sg.generator_of(g.to_dict() | extra).config == g
        assert sg.discriminator_of(d.to_dict() | extra).config == d
    for build in (sg.generator_of, sg.discriminator_of):
        with pytest.raises(ValueError, match="kind=vae"):
            build(g.to_dict() | {"kind": "vae"})


@pytest.mark.parametrize(
    "change", [{"kind": "stylegan2"}, {"img_channels": 2}, {"img_resolution": 50}, {"c_dim": 1}]
)
def test_bad_values_are_named(change):
    for network in networks("acgan"):
        with pytest.raises(ValueError, match="{}={}".format(*next(iter(change.items())))):
            replace(network.config, **change)


# --- batch normalisation -----------------------------------------------------------------------


def test_batch_norm_is_that_of_torch():
    """In both modes; momentum 0.1 is beta 0.9."""
    ours, theirs, x = BatchNorm(3), torch.nn.BatchNorm2d(3, momentum=0.1), torch.randn(4, 3, 5, 5)
    torch.testing.assert_close(ours(x), theirs(x))
    mean, variance = ours.statistics.lerp(ours.batch_statistics, 0.1)
    torch.testing.assert_close(mean, theirs.running_mean)
    torch.testing.assert_close(variance, theirs.running_var)
    ours.statistics.copy_(torch.stack([mean, variance]))
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))


def test_training_mode_is_refused_since_images_depend_on_their_batch():
    g, _ = networks("cgan")
    z, c = torch.randn(4, 6), torch.eye(2)[[0, 1, 0, 1]]
    assert not torch.allclose(g(z, c)[:2], g(z[:2], c[:2]))
    with pytest.raises(ValueError, match="training mode"):
        sg.sample(g, [1], c[:1])
