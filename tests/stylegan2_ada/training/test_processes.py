"""Two processes with a shard each against one process with both.

Run as a script, this file is one of the processes: python FILE RANK WORLD FOLDER KIND. An AC-GAN
stands for the plain networks: its batch normalisation takes the statistics of each shard.
"""

import gc
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

import stylegan2_ada as sg

SHARDS, STEPS = 2, 5
# Adam divides by the gradient's own size: without a large eps, gradients that are only rounding
# would move weights by the whole learning rate.
EPS = 1e-2


def options():
    return sg.TrainOptions(
        batch=16,
        loss="logistic",
        r1_gamma=0.1,
        r2_gamma=0.0,
        r1_interval=4,
        path_weight=2.0,
        path_interval=2,
        path_decay=0.01,
        path_shrink=2,
        style_mixing=0.9,
        aux_weight=0.0,
        label_smoothing=0.1,
        ema_images=40.0,
        ema_rampup=None,
        noise="random",
        dtype=torch.float32,
        regularizer_dtype=torch.float32,
        ada=sg.AdaOptions(target=0.0, interval=2, ramp_kimg=1.0),
        nonfinite_limit=1,
        reuse_fakes=False,
        graphs=None,
        compile=False,
    )


PLAIN = {"style_mixing": 0.0, "path_interval": 0, "aux_weight": 0.5}


def networks(kind):
    sizes = {"img_resolution": 8, "img_channels": 1, "c_dim": 2, "channel_base": 64}
    sizes["channel_max"] = 8
    if kind == "acgan":
        sizes |= {"kind": kind, "embed_dim": 4}
        g = sg.PlainGenerator(sg.PlainGeneratorConfig(**sizes, z_dim=8))
        return g, sg.PlainDiscriminator(sg.PlainDiscriminatorConfig(**sizes))
    g = sg.Generator(sg.GeneratorConfig(**sizes, z_dim=8, w_dim=8, mapping_layers=2))
    return g, sg.Discriminator(sg.DiscriminatorConfig(**sizes, mbstd_group=4, mapping_layers=2))


def build(kind, shards, *, seed):
    torch.manual_seed(seed)
    g, d = networks(kind)
    chosen = replace(options(), **PLAIN) if kind == "acgan" else options()
    adam = {"lr": 0.01, "betas": (0.0, 0.99), "eps": EPS}
    adam |= {"path_interval": chosen.path_interval, "r1_interval": chosen.r1_interval}
    augment = sg.AugmentPipe(sg.pipe("bgcfnc"), p_max=0.8)
    augment.set_p(0.5)
    return sg.Trainer(
        g,
        d,
        sg.build_optimizers(g, d, **adam),
        chosen,
        streams=[sg.shard_streams(0, shard, device="cpu") for shard in shards],
        conditions=sg.condition_sampler(torch.eye(2)),
        augment=augment,
    )


def batches():
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, [40, 8, 8], generator=generator, dtype=torch.uint8).numpy()
    conditions = torch.eye(2)[torch.arange(40) % 2]
    settings = {"batch": 16, "mirror": True, "weights": None, "device": "cpu"}
    return sg.RealBatches(images, conditions, generator=generator, **settings)


def run(kind, shards, *, seed, stopper):
    """Train for STEPS steps, of 1000; returns the state and the last tick."""
    trainer, ticks = build(kind, shards, seed=seed), []
    sg.train(
        trainer,
        batches(),
        total_images=16_000,
        tick_images=16 * STEPS,
        tick_conditions=torch.eye(2),
        tick_seeds=(0, 1),
        on_tick=ticks.append,
        should_stop=lambda: stopper and trainer.steps == STEPS,
    )
    return {"state": trainer.state_dict(), "tick": vars(ticks[-1])}


def process(rank, world, folder, kind):
    """Other initial weights in each process: the first's count. Only the last asks to stop."""
    meeting = f"file://{folder}/meeting"
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=world)
    torch.save(run(kind, [rank], seed=rank, stopper=rank == world - 1), folder / f"{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()
    gc.collect()


@pytest.fixture(scope="module", params=["stylegan2", "acgan"])
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def results(kind, tmp_path_factory):
    """Of both processes, and of one process alone."""
    folder = tmp_path_factory.mktemp("processes")
    paths = os.pathsep.join(path for path in sys.path if path)
    env = os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    started = [
        subprocess.Popen([sys.executable, __file__, str(rank), str(SHARDS), folder, kind], env=env)
        for rank in range(SHARDS)
    ]
    alone = run(kind, range(SHARDS), seed=0, stopper=True)
    try:
        assert [one.wait(timeout=300) for one in started] == [0] * SHARDS
    finally:
        for one in started:
            one.kill()
    saved = [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(SHARDS)]
    return *saved, alone


def test_two_processes_agree_bit_for_bit(results):
    first, second, _ = results
    assert first["tick"].keys() == second["tick"].keys()
    torch.testing.assert_close(first["state"], second["state"], rtol=0, atol=0)
    for name in set(first["tick"]) - {"seconds", "images_per_second"}:
        assert first["tick"][name] == second["tick"][name], name


def test_two_processes_equal_one_with_twice_the_batch(results, kind):
    """To rounding: weights, averages, Adam's moments, running means, ADA's sums."""
    first, _, alone = results
    torch.testing.assert_close(first["state"], alone["state"], rtol=1e-4, atol=2e-5)
    assert first["state"]["counts"]["steps"] == STEPS
    assert first["state"]["augment_p"] != 0.5
    assert (first["state"]["path_mean"] > 0) == (kind == "stylegan2")


def test_random_streams_end_where_those_of_one_process_do(results):
    """Bit for bit, so both drew the same numbers."""
    first, _, alone = results
    torch.testing.assert_close(first["state"]["streams"], alone["state"]["streams"], rtol=0, atol=0)


def test_ticks_hold_the_means_over_both_processes(results):
    first, _, alone = results
    for name, value in first["tick"].items():
        if name not in ("seconds", "images_per_second", "diversity"):
            assert value == pytest.approx(alone["tick"][name], rel=1e-3), name
    assert first["tick"]["diversity"] == pytest.approx(alone["tick"]["diversity"], rel=1e-3)


def test_a_run_goes_on_in_another_number_of_processes(results, kind):
    """The state of two processes, loaded by one that has both shards, is the same state."""
    first, _, _ = results
    trainer = build(kind, range(SHARDS), seed=5)
    trainer.load_state_dict(first["state"])
    torch.testing.assert_close(trainer.state_dict(), first["state"], rtol=0, atol=0)


if __name__ == "__main__":
    torch.set_num_threads(1)
    process(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])
