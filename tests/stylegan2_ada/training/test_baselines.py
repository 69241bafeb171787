"""cGAN and AC-GAN in the same loop, average and sampling as StyleGAN2."""

import copy
import io
from dataclasses import replace
from math import log

import pytest
import torch

import stylegan2_ada as sg
from stylegan2_ada.networks import BatchNorm
from stylegan2_ada.training.losses import class_loss

KINDS = ("cgan", "acgan")


@pytest.fixture
def plain(tiny):
    """A maker of trainers of plain networks; changes go to the options."""
    return tiny.plain


# --- batch normalisation -----------------------------------------------------------------------


def norms(network):
    return [part for part in network.modules() if isinstance(part, BatchNorm)]


def test_statistics_move_once_a_step_by_the_mean_over_shards(plain, tiny):
    """0.9 * (0, 1) + 0.1 * the mean of both shards' (mean, variance); other phases leave them."""
    trainer = plain(shards=2)
    again, want = copy.deepcopy(trainer.generator), []
    for shard in range(2):
        latents = sg.shard_streams(0, shard, device="cpu").latents
        z = torch.randn(4, 6, generator=latents)
        again(z, trainer.losses.conditions(4, latents))
        want.append([norm.batch_statistics for norm in norms(again)])
    tiny.phase(trainer, "G main")
    tiny.phase(trainer, "D main")
    tiny.phase(trainer, "D R1")
    for norm, one, two in zip(norms(trainer.generator), *want, strict=True):
        start = torch.tensor([[0.0], [1.0]])
        torch.testing.assert_close(norm.statistics, 0.9 * start + 0.1 * (one + two) / 2)
        assert not torch.allclose(one, two)


def test_statistics_are_averaged_as_weights_are(plain, tiny):
    """Step 1 copies, step 2 keeps 1/2^(8 / 4), a half-life of 0.5 * 8 images; w_avg is copied."""
    trainer, data = plain(ema_rampup=0.5), tiny.batches()
    trainer.step(*next(data))
    first = trainer.generator.synthesis.norm.statistics.clone()
    assert torch.equal(trainer.ema.synthesis.norm.statistics, first)
    trainer.step(*next(data))
    want = 0.25 * first + 0.75 * trainer.generator.synthesis.norm.statistics
    torch.testing.assert_close(trainer.ema.synthesis.norm.statistics, want)
    assert torch.equal(trainer.ema.mapping.w_avg, trainer.generator.mapping.w_avg)


def test_statistics_of_a_bad_batch_are_left_out(plain, tiny):
    bad = sg.condition_sampler(torch.tensor([[1.0, 0.0]]))
    trainer = plain("cgan", conditions=bad)
    torch.nn.init.constant_(trainer.generator.mapping.embed.weight, torch.nan)
    tiny.phase(trainer, "G main")
    assert trainer.skips.total() == 1
    for norm in norms(trainer.generator):
        assert norm.statistics[0].eq(0).all()
        assert norm.statistics[1].eq(1).all()


# --- sampling ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("noise", ["const", "seed", "none"])
def test_an_image_depends_on_its_seed_alone(plain, tiny, kind, noise):
    """Also after training, when statistics are no longer those of the start."""
    trainer = plain(kind)
    for _, batch in zip(range(5), tiny.batches(), strict=False):
        trainer.step(*batch)
    c = torch.eye(2)[[0, 1, 1, 0, 1]]
    whole = sg.sample(trainer.ema, [5, 6, 7, 8, 9], c, noise=noise)
    for order in ([3], [4, 0], [2, 1, 3]):
        part = sg.sample(trainer.ema, [5 + i for i in order], c[order], noise=noise)
        torch.testing.assert_close(part, whole[order], rtol=1e-4, atol=1e-5)


# --- losses ------------------------------------------------------------------------------------


def test_losses_of_an_undecided_discriminator(plain, tiny):
    """Logits 0 and class logits (0, log 3): log 2 + 0.5 * log 4 for class 0 on each side.

    The ticks have the class loss beside the adversarial one, not in it.
    """
    only_first = sg.condition_sampler(torch.tensor([[1.0, 0.0]]))
    trainer = plain(conditions=only_first, aux_weight=0.5, label_smoothing=0.2)
    d = trainer.discriminator
    for weight in (d.out.weight, d.out.bias, d.classes.weight):
        torch.nn.init.zeros_(weight)
    d.classes.bias.copy_(torch.tensor([0.0, log(3)]))
    images, _ = next(tiny.batches())
    second = torch.tensor([[0.0, 1.0]]).expand(8, 2)
    (loss,) = trainer.losses.generator_main(images, second)
    assert loss.item() == pytest.approx(log(2) + 0.5 * log(4))
    fake, real = trainer.losses.discriminator_main(images, second)
    assert fake.item() == pytest.approx(log(2) + 0.5 * log(4))
    assert real.item() == pytest.approx(log(2) + 0.5 * log(4 / 3))
    means = trainer.losses.meter.take()
    assert means["loss_g"] == pytest.approx(log(2))
    assert means["loss_d"] == pytest.approx(2 * log(2))
    assert means["aux_loss_fake"] == pytest.approx(log(4))
    assert means["aux_loss_real"] == pytest.approx(log(4 / 3))


def test_the_class_loss_reaches_the_generator(plain, tiny):
    """With logits constant it is all that does: gradients grow with its weight and are not 0."""
    grads = []
    for weight in (1.0, 2.0):
        trainer = plain(aux_weight=weight)
        torch.nn.init.zeros_(trainer.discriminator.out.weight)
        tiny.phase(trainer, "G main")
        grads.append([parameter.grad for parameter in trainer.generator.parameters()])
    embed = trainer.generator.mapping.embed.weight.grad
    assert embed.abs().max() > 1e-3
    for one, two in zip(*grads, strict=True):
        torch.testing.assert_close(two, 2 * one)


def test_a_class_loss_teaches_the_discriminator_on_reals_and_fakes(plain, tiny):
    """Gradient of the class head: the mean over reals plus that over fakes."""
    trainer, (images, c) = plain(), next(tiny.batches())
    d = copy.deepcopy(trainer.discriminator).requires_grad_(True)
    stream = sg.shard_streams(0, 0, device="cpu").latents
    z = torch.randn(8, 6, generator=stream)
    fake_c = trainer.losses.conditions(8, stream)
    fakes = trainer.generator(z, fake_c)
    losses = [
        class_loss(d.with_classes(x)[1], target).mean()
        for x, target in ((sg.from_uint8(images), c), (fakes, fake_c))
    ]
    want = torch.autograd.grad(sum(losses), d.classes.weight)[0]
    tiny.phase(trainer, "D main", (images, c))
    torch.testing.assert_close(trainer.discriminator.classes.weight.grad, want)


@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16_follows_float32(plain, tiny, kind):
    """Feature maps of 8 bits of mantissa: losses within 3 %, statistics and images float32."""
    losses = []
    for dtype in (torch.float32, torch.bfloat16):
        trainer = plain(kind, dtype=dtype, regularizer_dtype=dtype)
        trainer.step(*next(tiny.batches()))
        losses.append(trainer.losses.meter.take())
        assert {x.dtype for x in trainer.generator.state_dict().values()} == {torch.float32}
    for name in ("loss_g", "loss_d"):
        assert losses[1][name] == pytest.approx(losses[0][name], rel=0.03)
        assert losses[1][name] != losses[0][name]


# --- the loop ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_tiny_gan_learns_what_the_classes_mean(plain, tiny, kind):
    """Bright left or right: the halves' difference has each class's sign and half its size."""
    trainer, ticks = plain(kind), []
    tiny.run(trainer, tiny.batches(64), 8 * 300, ticks.append)
    seeds, c = range(32), torch.eye(2).repeat_interleave(16, 0)
    images = sg.sample(trainer.ema, seeds, c)
    difference = (images[..., :4] - images[..., 4:]).mean([1, 2, 3])
    real = 150 / 127.5
    assert difference[:16].mean() > real / 2
    assert difference[16:].mean() < -real / 2
    aux = ticks[-1].aux_loss_real, ticks[-1].aux_loss_fake
    if kind == "acgan":
        assert 0 < max(aux) < log(2) / 2
    else:
        assert aux == (0, 0)


def test_resume_equals_uninterrupted(plain, tiny):
    """run(2N) = run(N) + save + load + run(N) in every bit, statistics and ADA included."""
    ada = sg.AdaOptions(target=-2.0, interval=4, ramp_kimg=0.5)
    whole, data = plain(ada=ada, augment=tiny.pipe(0.4)), tiny.batches()
    tiny.run(whole, data, 144)
    first, first_data = plain(ada=ada, augment=tiny.pipe(0.4)), tiny.batches()
    tiny.run(first, first_data, 144, stop=lambda: first.images == 72)
    file = io.BytesIO()
    torch.save({"trainer": first.state_dict(), "data": first_data.state_dict()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    second, second_data = plain(ada=ada, augment=tiny.pipe(0.0), seed=9), tiny.batches()
    second.load_state_dict(saved["trainer"])
    second_data.load_state_dict(saved["data"])
    tiny.run(second, second_data, 144)
    torch.testing.assert_close(second.state_dict(), whole.state_dict(), rtol=0, atol=0)
    torch.testing.assert_close(second_data.state_dict(), data.state_dict(), rtol=0, atol=0)
    assert not torch.equal(whole.ema.synthesis.norm.statistics, first.ema.synthesis.norm.statistics)


def test_diffaugment_works_on_plain_networks(plain, tiny):
    """D's losses differ from the run without it."""
    losses = []
    for augment in (None, "color,translation,cutout"):
        trainer = plain(augment=augment)
        trainer.step(*next(tiny.batches()))
        losses.append(trainer.losses.meter.take()["loss_d"])
    assert losses[0] != losses[1]


# --- options that do not fit -------------------------------------------------------------------


@pytest.mark.parametrize("change", [{"style_mixing": 0.9}, {"path_interval": 4}])
def test_what_needs_several_styles_is_refused(plain, change):
    with pytest.raises(ValueError, match=f"{next(iter(change))}=.* one style"):
        plain("cgan", **change)


def test_the_class_loss_needs_a_class_head_and_an_acgan_needs_the_loss(plain, tiny):
    with pytest.raises(ValueError, match=r"aux_weight=1.0: .* no class head"):
        plain("cgan", aux_weight=1.0)
    with pytest.raises(ValueError, match=r"aux_weight=0: .* acgan"):
        plain("acgan", aux_weight=0.0)
    with pytest.raises(ValueError, match=r"aux_weight=0.5: .* no class head"):
        tiny.build(replace(tiny.options, aux_weight=0.5))
    with pytest.raises(ValueError, match="aux_weight=-1"):
        replace(tiny.options, aux_weight=-1.0)


def test_conditions_of_an_acgan_are_class_probabilities(plain):
    """Mixtures are; several labels at once, or other numbers, are for a cgan."""
    plain("acgan", conditions=sg.condition_sampler(torch.tensor([[0.3, 0.7]])))
    for row in ([1.0, 1.0], [1.5, -0.5]):
        sampler = sg.condition_sampler(torch.tensor([row]))
        plain("cgan", conditions=sampler)
        with pytest.raises(ValueError, match="class probabilities"):
            plain("acgan", conditions=sampler)
