import copy
from dataclasses import replace
from functools import partial

import pytest
import torch
import torch.nn.functional as F

import stylegan2_ada as sg
from stylegan2_ada.training.losses import gradient_penalty


@pytest.mark.parametrize(
    ("phase", "moves"),
    [
        ("G main", "generator"),
        ("G path length", "generator"),
        ("D main", "discriminator"),
        ("D R1", "discriminator"),
    ],
)
def test_a_phase_moves_its_own_network_only(tiny, phase, moves):
    trainer = tiny.build()
    networks = {"generator": trainer.generator, "discriminator": trainer.discriminator}
    before = {name: tiny.snapshot(network) for name, network in networks.items()}
    tiny.phase(trainer, phase)
    for name, network in networks.items():
        weights = dict(network.named_parameters())
        moved = any(not torch.equal(before[name][key], weight) for key, weight in weights.items())
        assert moved == (name == moves)
        assert all((weight.grad is not None) == (name == moves) for weight in weights.values())
        assert not any(weight.requires_grad for weight in weights.values())


def test_lazy_phases_run_when_they_are_due(tiny, monkeypatch):
    """17 steps: path length at 0, 4, ..., 16, R1 at 0 and 16."""
    trainer, data = tiny.build(), tiny.batches()
    due = {phase: [] for phase in ("G main", "G path length", "D main", "D R1")}
    monkeypatch.setattr(trainer, "run_phase", lambda phase: due[phase].append(trainer.steps))
    for _ in range(17):
        trainer.step(*next(data))
    assert due["G main"] == due["D main"] == list(range(17))
    assert due["G path length"] == [0, 4, 8, 12, 16]
    assert due["D R1"] == [0, 16]


def test_optimizers_are_corrected_for_lazy_phases(tiny):
    """G: lr * 4 / 5, D: lr * 16 / 17, and betas to these powers."""
    trainer = tiny.build()
    g, d = (one.param_groups[0] for one in trainer.optimizers.values())
    assert (g["lr"], d["lr"]) == pytest.approx((0.002, 0.0025 * 16 / 17))
    assert (g["betas"][1], d["betas"][1]) == pytest.approx((0.99**0.8, 0.99 ** (16 / 17)))
    assert g["betas"][0] == 0
    assert g["eps"] == 1e-8


def test_r1_phase_is_the_gradient_of_its_penalty(tiny):
    """The gradient is that of interval * gamma / 2 * mean |dD/dx|^2, without augmentation."""
    trainer, (images, c) = tiny.build(), next(tiny.batches())
    d = copy.deepcopy(trainer.discriminator).requires_grad_(True)
    x = sg.from_uint8(images).requires_grad_()
    penalty = gradient_penalty(d(x, c), x).mean() * 16 * 0.1 / 2
    want = torch.autograd.grad(penalty, d.b8.conv0.weight)[0]
    tiny.phase(trainer, "D R1", (images, c))
    torch.testing.assert_close(trainer.discriminator.b8.conv0.weight.grad, want)


def test_reused_fakes_are_those_of_the_generator_before_its_step(tiny):
    """D's gradient is that of its loss at the same latents and the generator of the G phase."""
    options = replace(tiny.options, reuse_fakes=True, style_mixing=0.0, noise="none")
    trainer, (images, real_c) = tiny.build(options), next(tiny.batches())
    latents = sg.shard_streams(0, 0, device="cpu").latents
    z, c = torch.randn(8, 8, generator=latents), trainer.losses.conditions(8, latents)
    g, d = (copy.deepcopy(one) for one in (trainer.generator, trainer.discriminator))
    fakes = g.synthesis(g.mapping(z, c), noise="none")
    loss = F.softplus(d.requires_grad_(True)(fakes, c)).mean()
    loss = loss + F.softplus(-d(sg.from_uint8(images), real_c)).mean()
    want = torch.autograd.grad(loss, d.b8.conv0.weight)[0]

    tiny.phase(trainer, "G main")
    drawn = trainer.losses.streams[0].latents.get_state()
    tiny.phase(trainer, "D main", (images, real_c))

    torch.testing.assert_close(trainer.discriminator.b8.conv0.weight.grad, want)
    assert torch.equal(trainer.losses.streams[0].latents.get_state(), drawn)  # no fresh latents


def test_label_smoothing_adds_its_share_of_the_logits(tiny):
    """(1 - s) softplus(-l) + s softplus(l) = softplus(-l) + s l."""
    means = []
    for smoothing in (0.0, 0.2):
        trainer = tiny.build(replace(tiny.options, label_smoothing=smoothing))
        tiny.phase(trainer, "D main")
        means.append(trainer.losses.meter.take())
    difference = means[1]["loss_d"] - means[0]["loss_d"]
    assert difference == pytest.approx(0.2 * means[0]["real_logit"], rel=1e-4)


def test_center_moves_by_the_mean_style(tiny):
    """w_avg = (1 - beta) * mean w after one phase, beta 0.995; the path length leaves it."""
    trainer = tiny.build()
    again = sg.shard_streams(0, 0, device="cpu").latents
    z, c = torch.randn(8, 8, generator=again), trainer.losses.conditions(8, again)
    want = 0.005 * trainer.generator.mapping.style(z, c).mean(0)
    tiny.phase(trainer, "G main")
    tiny.phase(trainer, "G path length")
    torch.testing.assert_close(trainer.generator.mapping.w_avg, want)


@pytest.mark.parametrize("res", [6, 8])
def test_bfloat16_follows_float32(tiny, res):
    """Feature maps of 8 bits of mantissa: losses within 2 %, weights and averages stay float32."""
    losses = []
    for dtype in (torch.float32, torch.bfloat16):
        options = replace(tiny.options, dtype=dtype, regularizer_dtype=dtype)
        trainer = tiny.build(options, res=res)
        trainer.step(*next(tiny.batches(res=res)))
        losses.append(trainer.losses.meter.take())
        assert {p.dtype for p in trainer.ema.parameters()} == {torch.float32}
    for name in ("loss_g", "loss_d"):
        assert losses[1][name] == pytest.approx(losses[0][name], rel=0.02)
        assert losses[1][name] != losses[0][name]


def test_compiled_networks_train_as_the_others(tiny, monkeypatch):
    """Each network is one graph in the main phases, and a step with all phases agrees."""
    whole = partial(torch.compile, backend="aot_eager", fullgraph=True)
    monkeypatch.setattr(torch, "compile", whole)
    steps = []
    for compiled in (False, True):
        trainer = tiny.build(replace(tiny.options, compile=compiled))
        trainer.step(*next(tiny.batches()))
        steps.append([tiny.snapshot(trainer.generator), tiny.snapshot(trainer.discriminator)])
    torch.testing.assert_close(steps[1], steps[0])
