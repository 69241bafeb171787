import io
from dataclasses import fields, replace
from math import isfinite, isnan, log

import pytest
import torch

import stylegan2_ada as sg


def flat(state, prefix=""):
    """Nested state to {path: leaf}."""
    items = state.items() if isinstance(state, dict) else enumerate(state)
    leaves = {}
    for key, value in items:
        nested = isinstance(value, (dict, list, tuple))
        leaves |= flat(value, f"{prefix}/{key}") if nested else {f"{prefix}/{key}": value}
    return leaves


# --- resume ------------------------------------------------------------------------------------


def test_resume_equals_uninterrupted(tiny):
    """run(2N) = run(N) + save + load + run(N) in every bit: weights, streams, sums, everything."""
    ada = sg.AdaOptions(target=-2.0, interval=4, ramp_kimg=0.5)
    options = replace(tiny.options, ada=ada)
    whole, data = tiny.build(options, augment=tiny.pipe(0.4)), tiny.batches()
    tiny.run(whole, data, 144)
    first, first_data = tiny.build(options, augment=tiny.pipe(0.4)), tiny.batches()
    tiny.run(first, first_data, 144, stop=lambda: first.images == 72)  # inside all intervals
    file = io.BytesIO()
    torch.save({"trainer": first.state_dict(), "data": first_data.state_dict()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    second, second_data = tiny.build(options, augment=tiny.pipe(0.0), seed=9), tiny.batches()
    second.load_state_dict(saved["trainer"])
    second_data.load_state_dict(saved["data"])
    tiny.run(second, second_data, 144)
    want = flat({"trainer": whole.state_dict(), "data": data.state_dict()})
    got = flat({"trainer": second.state_dict(), "data": second_data.state_dict()})
    assert want.keys() == got.keys()
    for name, value in want.items():
        same = torch.equal(value, got[name]) if torch.is_tensor(value) else value == got[name]
        assert same, name
    assert whole.augment_p == pytest.approx(0.4 + 4 * 4 * 8 / 500)
    assert whole.losses.path_mean > 0


def test_streams_differ_by_purpose_seed_and_shard():
    """Equal arguments give equal numbers; 4 x 3 streams of other arguments are all different."""

    def first(seed, shard):
        one = sg.shard_streams(seed, shard, device="cpu")
        return [torch.randn(1, generator=g).item() for g in (one.latents, one.augment, one.noise)]

    assert first(3, 1) == first(3, 1)
    assert len({x for seed in (0, 1) for shard in (0, 1) for x in first(seed, shard)}) == 12


def test_state_of_other_shards_is_refused(tiny):
    trainer = tiny.build()
    state = trainer.state_dict()
    state["streams"] = state["streams"] * 2
    with pytest.raises(ValueError, match="2 shards"):
        trainer.load_state_dict(state)


# --- averages and augmentation -----------------------------------------------------------------


def test_average_of_weights_follows_the_closed_form(tiny):
    """Step 1 copies (no images seen), step 2 keeps 1/2^(8 / 4): a half-life of 0.5 * 8 images."""
    trainer, data = tiny.build(replace(tiny.options, ema_rampup=0.5)), tiny.batches()
    trainer.step(*next(data))
    first = tiny.snapshot(trainer.generator)["synthesis.b8.conv1.weight"]
    assert torch.equal(trainer.ema.synthesis.b8.conv1.weight, first)
    trainer.step(*next(data))
    want = 0.25 * first + 0.75 * trainer.generator.synthesis.b8.conv1.weight
    torch.testing.assert_close(trainer.ema.synthesis.b8.conv1.weight, want)


@pytest.mark.parametrize(("target", "want"), [(-2.0, 0.564), (2.0, 0.436), (-2.1, 0.55)])
def test_ada_moves_p_every_interval(tiny, target, want):
    """8 steps of 8 images at 1 kimg are two moves by 0.032, up to p_max."""
    options = replace(tiny.options, ada=sg.AdaOptions(target=target, interval=4, ramp_kimg=1.0))
    trainer = tiny.build(options, augment=tiny.pipe(0.5, p_max=0.55 if target == -2.1 else 1.0))
    data = tiny.batches()
    for _ in range(3):
        trainer.step(*next(data))
    assert trainer.augment_p == 0.5
    for _ in range(5):
        trainer.step(*next(data))
    assert trainer.augment_p == pytest.approx(want)


@pytest.mark.parametrize("augment", ["color,translation,cutout", "pipe"])
def test_fixed_augmentation_changes_what_the_discriminator_sees(tiny, augment):
    """D's losses differ from the run without augmentation, and p stays where it was set."""
    augment = tiny.pipe(0.7) if augment == "pipe" else augment
    plain, trainer = tiny.build(), tiny.build(augment=augment)
    for one in (plain, trainer):
        for _, batch in zip(range(4), tiny.batches(), strict=False):
            one.step(*batch)
    assert trainer.augment_p == pytest.approx(0.7 if isinstance(augment, sg.AugmentPipe) else 0)
    assert plain.losses.meter.take()["loss_d"] != trainer.losses.meter.take()["loss_d"]


def test_ada_needs_a_pipe(tiny):
    options = replace(tiny.options, ada=sg.AdaOptions(target=0.6, interval=4, ramp_kimg=500))
    with pytest.raises(ValueError, match="no probability"):
        tiny.build(options, augment="color")


# --- gradients that are not finite -------------------------------------------------------------


def test_nonfinite_updates_are_left_out_and_counted(tiny):
    """Bad conditions of the reals: D main and R1 are skipped, G goes on; a good step resets."""
    trainer, (images, c) = tiny.build(), next(tiny.batches())
    before, g_before = tiny.snapshot(trainer.discriminator), tiny.snapshot(trainer.generator)
    trainer.step(images, c * torch.inf)
    assert trainer.skips.total() == 2
    for name, weight in trainer.discriminator.named_parameters():
        assert torch.equal(weight, before[name])
    moved = trainer.generator.synthesis.b8.conv1.weight
    assert not torch.equal(moved, g_before["synthesis.b8.conv1.weight"])
    trainer.step(images, c)
    assert trainer.skips.rows()["D main"] == 0
    assert isfinite(trainer.losses.meter.take()["loss_d"])


def test_nonfinite_gradients_that_repeat_end_the_run(tiny):
    """The first three steps of a limit of three, long before the first tick."""
    bad = ((images, c * torch.inf) for images, c in tiny.batches())
    with pytest.raises(FloatingPointError, match=r"D main after 24 images: .* 3 times .*loss nan"):
        tiny.run(tiny.build(), bad, 96)


def test_skipped_steps_leave_running_means(tiny):
    """Bad conditions of G: neither the path length mean nor the centre becomes nan."""
    bad = sg.condition_sampler(torch.full([1, 2], torch.nan))
    trainer = tiny.build(replace(tiny.options, nonfinite_limit=9), conditions=bad)
    tiny.phase(trainer, "G main")
    tiny.phase(trainer, "G path length")
    assert trainer.skips.total() == 2
    assert trainer.losses.path_mean == 0
    assert torch.equal(trainer.generator.mapping.w_avg, torch.zeros(8))


def test_optimizers_that_cannot_leave_an_update_out_are_refused(tiny):
    trainer = tiny.build()
    adam = torch.optim.Adam(trainer.discriminator.parameters(), fused=False)
    parts = (trainer.generator, trainer.discriminator, (trainer.optimizers["G"], adam))
    with pytest.raises(ValueError, match="must be fused"):
        sg.Trainer(
            *parts,
            trainer.options,
            streams=trainer.losses.streams,
            conditions=trainer.losses.conditions,
            augment=None,
        )


def test_a_phase_that_recovers_in_time_goes_on(tiny):
    """Two bad steps of a limit of three, a good one, two bad ones: no three in a row."""
    trainer, (images, c) = tiny.build(), next(tiny.batches())
    for bad in (True, True, False, True, True):
        trainer.step(images, c * torch.inf if bad else c)
    assert trainer.skips.rows()["D main"] == 2
    assert trainer.skips.total() == 5  # four of D main, one of R1, which is due at the first step


# --- options that no run can have ----------------------------------------------------------------


@pytest.mark.parametrize(
    "change", [{"batch": 0}, {"noise": "x"}, {"style_mixing": 2.0}, {"nonfinite_limit": 0}]
)
def test_impossible_options_are_refused(tiny, change):
    with pytest.raises(ValueError, match=f"{next(iter(change))}="):
        replace(tiny.options, **change)


@pytest.mark.parametrize(("batch", "shards"), [(7, 2), (2, 2), (8, 0)])
def test_batch_must_be_split_in_shards(tiny, batch, shards):
    """A shard has at least path_shrink = 2 images."""
    with pytest.raises(ValueError, match=f"batch={batch}"):
        tiny.build(replace(tiny.options, batch=batch), shards=shards)


# --- the loop ----------------------------------------------------------------------------------


def test_ticks_come_every_tick_images_and_at_the_end(tiny):
    ticks = []
    tiny.run(tiny.build(), tiny.batches(), 96, ticks.append)
    assert [tick.images for tick in ticks] == [40, 80, 96]
    last = ticks[-1]
    numbers = [getattr(last, field.name) for field in fields(last) if field.name != "diversity"]
    assert [isnan(number) for number in numbers].count(True) == 1
    assert isnan(last.r1_penalty)  # steps 10 and 11: not due
    assert len(last.diversity) == 2
    assert min(last.diversity) > 0
    assert last.skipped_steps == 0
    assert -1 <= last.real_sign <= 1
    assert last.path_length > 0


def test_losses_of_an_undecided_discriminator(tiny):
    """Logits 0: log 2 for G, 2 log 2 for D, mean sign 0."""
    trainer = tiny.build()
    torch.nn.init.zeros_(trainer.discriminator.b4.out.weight)
    tiny.phase(trainer, "G main")
    tiny.phase(trainer, "D main")
    means = trainer.losses.meter.take()
    assert means["loss_g"] == pytest.approx(log(2))
    assert means["loss_d"] == pytest.approx(2 * log(2))
    assert means["real_sign"] == means["real_logit"] == means["fake_logit"] == 0


def test_stop_ends_after_the_step(tiny):
    trainer = tiny.build()
    tiny.run(trainer, tiny.batches(), 96, stop=lambda: trainer.images >= 24)
    assert trainer.images == 24


def test_a_tiny_gan_learns_what_the_classes_mean(tiny):
    """Bright left or right: the halves' difference has each class's sign and half its size."""
    options = replace(tiny.options, path_interval=0, style_mixing=0.0, noise="const")
    trainer = tiny.build(options)
    tiny.run(trainer, tiny.batches(64), 8 * 300)
    seeds, c = range(32), torch.eye(2).repeat_interleave(16, 0)
    images = sg.sample(trainer.ema, seeds, c)
    difference = (images[..., :4] - images[..., 4:]).mean([1, 2, 3])
    real = 150 / 127.5
    assert difference[:16].mean() > real / 2
    assert difference[16:].mean() < -real / 2
