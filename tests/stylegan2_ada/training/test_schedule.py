"""Settings that change over a run, and the relativistic loss beside them."""

from dataclasses import replace
from math import log

import pytest
import torch
import torch.nn.functional as F

import stylegan2_ada as sg
from stylegan2_ada.training.losses import relativistic_loss
from stylegan2_ada.training.schedule import Schedules, factor_at

POINTS = ((100, 1.0), (300, 0.5), (400, 0.5))


@pytest.mark.parametrize(
    ("images", "factor"), [(0, 1.0), (100, 1.0), (200, 0.75), (300, 0.5), (350, 0.5), (9999, 0.5)]
)
def test_a_factor_follows_straight_lines_between_its_points(images, factor):
    assert factor_at(POINTS, images) == pytest.approx(factor)


def test_without_points_a_setting_stays():
    assert factor_at((), 123) == 1


@pytest.mark.parametrize("points", [((5, 1.0), (5, 0.5)), ((5, 1.0), (1, 0.5)), ((0, -1.0),)])
def test_points_out_of_order_are_refused(points):
    with pytest.raises(ValueError, match="penalty="):
        Schedules(penalty=points)


def test_a_step_takes_the_settings_of_its_image_count(tiny):
    """After 16 of 32 images: half of the rates, half as much added to the weight, p at 0.4."""
    schedules = Schedules(((0, 1), (32, 0)), ((0, 1), (32, 2)), ((0, 1), (32, 0.6)))
    trainer = tiny.build(replace(tiny.options, schedules=schedules), augment=tiny.pipe(0.5))
    for _, batch in zip(range(3), tiny.batches(), strict=False):
        trainer.step(*batch)
    g, d = (one.param_groups[0]["lr"] for one in trainer.optimizers.values())
    assert float(g) == pytest.approx(0.5 * 0.0025 * 4 / 5)
    assert float(d) == pytest.approx(0.5 * 0.0025 * 16 / 17)
    assert float(trainer.losses.penalty_factor) == pytest.approx(1.5)
    assert trainer.augment_p == pytest.approx(0.4)


def test_a_rate_of_zero_leaves_the_weights(tiny):
    """The optimizers follow the schedule, not a number that they were made with."""
    trainer = tiny.build(replace(tiny.options, schedules=Schedules(lr=((0, 0),))))
    before = tiny.snapshot(trainer.generator)
    trainer.step(*next(tiny.batches()))
    for name, weight in trainer.generator.named_parameters():
        assert torch.equal(weight, before[name])


def test_the_penalty_is_scaled_by_its_factor(tiny):
    grads = []
    for factor in (1, 3):
        options = replace(tiny.options, schedules=Schedules(penalty=((0, factor),)))
        trainer = tiny.build(options)
        tiny.phase(trainer, "D R1")
        grads.append(trainer.discriminator.b8.conv0.weight.grad)
    torch.testing.assert_close(grads[1], 3 * grads[0])


# --- relativistic --------------------------------------------------------------------------------


def test_relativistic_loss_of_equal_logits_is_log_two():
    assert relativistic_loss(torch.zeros(3)).tolist() == pytest.approx([log(2)] * 3)
    assert relativistic_loss(torch.tensor([1.0])).item() == pytest.approx(log(1 + 2.718281828**-1))


def test_relativistic_losses_compare_pairs_of_one_class(tiny):
    """G: softplus(D(x) - D(G(z, c))) and D: the reverse, with c of the real image of the pair."""
    options = replace(tiny.options, loss="relativistic", style_mixing=0.0, noise="none")
    trainer, (images, c) = tiny.build(options), next(tiny.batches())
    latents = sg.shard_streams(0, 0, device="cpu").latents
    g, d = trainer.generator, trainer.discriminator
    fakes = g(torch.randn(8, 8, generator=latents), c, noise="none")
    margin = (d(sg.from_uint8(images), c) - d(fakes, c)).detach()
    (loss,) = trainer.losses.generator_main(images, c)
    assert loss.item() == pytest.approx(F.softplus(margin).mean().item(), rel=1e-5)
    (loss,) = trainer.losses.discriminator_main(images, c)
    fakes = g(torch.randn(8, 8, generator=latents), c, noise="none")
    margin = (d(sg.from_uint8(images), c) - d(fakes, c)).detach()
    assert loss.item() == pytest.approx(F.softplus(-margin).mean().item(), rel=1e-5)
    means = trainer.losses.meter.take()
    assert means["real_sign"] == pytest.approx(margin.sign().mean().item())


def test_r2_is_the_penalty_of_generated_images(tiny):
    """R1 and R2 of an untrained D, each with its own weight, in one update."""
    options = replace(tiny.options, r1_gamma=0.0, r2_gamma=0.2, style_mixing=0.0, noise="none")
    trainer, (images, c) = tiny.build(options), next(tiny.batches())
    latents = sg.shard_streams(0, 0, device="cpu").latents
    z, own = torch.randn(8, 8, generator=latents), trainer.losses.conditions(8, latents)
    d = trainer.discriminator.requires_grad_(True)
    fakes = trainer.generator(z, own, noise="none").detach().requires_grad_()
    (slope,) = torch.autograd.grad(d(fakes, own).sum(), fakes, create_graph=True)
    penalty = slope.square().sum([1, 2, 3]).mean() * 16 * 0.2 / 2
    (want,) = torch.autograd.grad(penalty, d.b8.conv0.weight)
    tiny.phase(trainer, "D R1", (images, c))
    torch.testing.assert_close(d.b8.conv0.weight.grad, want)
    assert trainer.losses.meter.take()["r2_penalty"] > 0


def test_a_relativistic_gan_learns_what_the_classes_mean(tiny):
    options = replace(
        tiny.options,
        loss="relativistic",
        r1_interval=8,
        r2_gamma=0.1,
        path_interval=0,
        style_mixing=0.0,
        noise="const",
    )
    trainer = tiny.build(options)
    tiny.run(trainer, tiny.batches(64), 8 * 300)
    images = sg.sample(trainer.ema, range(32), torch.eye(2).repeat_interleave(16, 0))
    difference = (images[..., :4] - images[..., 4:]).mean([1, 2, 3])
    assert difference[:16].mean() > 150 / 127.5 / 2
    assert difference[16:].mean() < -150 / 127.5 / 2
