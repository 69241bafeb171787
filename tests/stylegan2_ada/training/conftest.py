"""A tiny GAN of two classes, for the tests of the training loop."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import stylegan2_ada as sg

OPTIONS = sg.TrainOptions(
    batch=8,
    loss="logistic",
    r1_gamma=0.1,
    r2_gamma=0.0,
    r1_interval=16,
    path_weight=2.0,
    path_interval=4,
    path_decay=0.01,
    path_shrink=2,
    style_mixing=0.9,
    aux_weight=0.0,
    label_smoothing=0.0,
    ema_images=100.0,
    ema_rampup=None,
    noise="random",
    reuse_fakes=False,
    graphs=None,
    compile=False,
    dtype=torch.float32,
    regularizer_dtype=torch.float32,
    ada=None,
    nonfinite_limit=3,
)


def build(
    options=OPTIONS,
    *,
    res=8,
    augment=None,
    conditions=None,
    seed=0,
    shards=1,
    device="cpu",
    eps=1e-8,
):
    """A trainer of two classes with tiny networks."""
    torch.manual_seed(seed)
    sizes = {"img_resolution": res, "img_channels": 1, "c_dim": 2, "channel_base": 64}
    sizes["channel_max"] = 8
    g = sg.Generator(sg.GeneratorConfig(**sizes, z_dim=8, w_dim=8, mapping_layers=2)).to(device)
    d = sg.Discriminator(sg.DiscriminatorConfig(**sizes, mbstd_group=4, mapping_layers=2)).to(
        device
    )
    optimizers = sg.build_optimizers(
        g,
        d,
        lr=0.0025,
        betas=(0.0, 0.99),
        eps=eps,
        path_interval=options.path_interval,
        r1_interval=options.r1_interval,
    )
    return sg.Trainer(
        g,
        d,
        optimizers,
        options,
        streams=[sg.shard_streams(seed, shard, device=device) for shard in range(shards)],
        conditions=conditions or sg.condition_sampler(torch.eye(2, device=device)),
        augment=augment.to(device) if isinstance(augment, sg.AugmentPipe) else augment,
    )


def plain(
    kind="acgan",
    *,
    seed=0,
    shards=1,
    augment=None,
    conditions=None,
    device="cpu",
    eps=1e-8,
    **changes,
):
    """The same of plain networks; changes go to the options."""
    torch.manual_seed(seed)
    sizes = {"kind": kind, "img_resolution": 8, "img_channels": 1, "c_dim": 2}
    sizes |= {"embed_dim": 4, "channel_base": 64, "channel_max": 8}
    g = sg.PlainGenerator(sg.PlainGeneratorConfig(**sizes, z_dim=6)).to(device)
    d = sg.PlainDiscriminator(sg.PlainDiscriminatorConfig(**sizes)).to(device)
    adam = {"lr": 0.002, "betas": (0.5, 0.99), "eps": eps, "path_interval": 0, "r1_interval": 16}
    options = {"style_mixing": 0.0, "path_interval": 0, "aux_weight": float(kind == "acgan")}
    return sg.Trainer(
        g,
        d,
        sg.build_optimizers(g, d, **adam),
        replace(OPTIONS, **(options | changes)),
        streams=[sg.shard_streams(seed, shard, device=device) for shard in range(shards)],
        conditions=conditions or sg.condition_sampler(torch.eye(2, device=device)),
        augment=augment.to(device) if isinstance(augment, sg.AugmentPipe) else augment,
    )


def halves(n, *, res=8, seed=0):
    """Images of class 0 are bright on the left, those of class 1 on the right."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    images = rng.integers(20, 60, (n, 1, 1)) + np.zeros((n, res, res), int)
    for image, label in zip(images, labels, strict=True):
        side = slice(None, res // 2) if label == 0 else slice(res // 2, None)
        image[:, side] += 150
    return images.astype(np.uint8), torch.eye(2)[labels]


def batches(n=20, *, res=8, device="cpu"):
    images, conditions = halves(n, res=res)
    generator = torch.Generator().manual_seed(1)
    settings = {"batch": 8, "mirror": False, "weights": None, "device": device}
    return sg.RealBatches(images, conditions, generator=generator, **settings)


def pipe(p, *, p_max=1.0, name="bgc"):
    augment = sg.AugmentPipe(sg.pipe(name), p_max=p_max)
    augment.set_p(p)
    return augment


def snapshot(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def phase(trainer, name, batch=None):
    """One phase alone, on `batch` or the first of `batches`."""
    trainer.take(*(batch or next(batches())))
    trainer.run_phase(name)


def run(trainer, data, images, on_tick=lambda tick: None, stop=lambda: False):
    sg.train(
        trainer,
        data,
        total_images=images,
        tick_images=40,
        tick_conditions=torch.eye(2),
        tick_seeds=(0, 1, 2),
        on_tick=on_tick,
        should_stop=stop,
    )


@pytest.fixture
def tiny():
    """Options, and makers of trainer, real batches and pipe."""
    parts = {"options": OPTIONS, "build": build, "plain": plain, "batches": batches, "pipe": pipe}
    return SimpleNamespace(**parts, snapshot=snapshot, run=run, phase=phase)
