"""Membership inference with the networks at hand: the discriminator's score, and inversion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

import stylegan2_ada as sg
from ferbench.classes import CLASSES
from ferbench.data.resize import resize
from ferbench.gan.trained import TrainedGenerator, condition_table
from ferbench.privacy.audit import attack_by_class
from ferbench.privacy.findings import DISCRIMINATOR, INVERSION, AttackResult, Candidates
from ferbench.privacy.real import Real
from ferbench.privacy.statistics import Bootstrap

ROUNDS = 2  # groupings of the images that a discriminator's score is averaged over
BATCH = 64  # images a discriminator sees at once; a multiple of its groups
STYLES = 10_000  # latents behind the mean style and the spread of styles
WARMUP = 0.05  # share of the steps in which the learning rate of an inversion rises
FALL = 0.25  # and in which it falls at the end


# --- the discriminator ---------------------------------------------------------------------------


def discriminator_scores(
    discriminator: Any,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    rng: np.random.Generator,
    device: torch.device,
) -> np.ndarray:
    """[N] float64 logits, larger where an image seems real: LOGAN's white-box attack.

    Hayes et al. 2019: a discriminator that has memorized its training images scores them higher.
    images: [N, 48, 48] uint8, members and others together; labels: [N], the condition, if it takes
    one. It compares the images of a group, so images are grouped at random, members with others,
    and each score is the mean over several groupings.
    """
    config = discriminator.config
    pixels = torch.from_numpy(np.array(resize(images, config.img_resolution)))[:, None]
    kinds = condition_table(config.c_dim, len(CLASSES))
    conditions = kinds[torch.from_numpy(labels)] if config.c_dim else None
    total = np.zeros(len(images))
    for _ in range(ROUNDS):
        order = rng.permutation(len(images))
        filled = np.resize(order, -(-len(order) // BATCH) * BATCH)  # the last group is whole, too
        logits = [
            _logits(
                discriminator,
                pixels[rows],
                None if conditions is None else conditions[rows],
                config.img_channels,
                device,
            )
            for rows in np.split(filled, len(filled) // BATCH)
        ]
        total[order] += np.concatenate(logits)[: len(order)]
    mean: np.ndarray = total / ROUNDS
    return mean


@torch.inference_mode()
def _logits(
    discriminator: Any,
    pixels: Tensor,
    conditions: Tensor | None,
    channels: int,
    device: torch.device,
) -> np.ndarray:
    images = sg.from_uint8(pixels.to(device)).expand(-1, channels, -1, -1)
    c = None if conditions is None else conditions.to(device)
    logits: np.ndarray = discriminator(images, c).double().cpu().numpy()
    return logits


# --- inversion -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Inversion:
    """How a generator is made to reconstruct given images.

    steps: of Adam; rate: its largest learning rate, in units of the spread of styles. features:
    maps [N, 1, 48, 48] float in [-1, 1] to [N, F]; None compares pixels alone.
    """

    steps: int
    rate: float
    batch: int
    features: Callable[[Tensor], Tensor] | None


def invert(
    network: Any,
    images: np.ndarray,
    labels: np.ndarray,
    how: Inversion,
    *,
    seed: int,
    on_batch: Callable[[int], None],
) -> np.ndarray:
    """[N] float64: how far the generator's best image is from each of the images.

    The style w of each image (one for all layers) goes from the mean style of its class down the
    gradient of the distance: mean squared difference of pixels in [-1, 1], or of features over
    their mean square (Webster et al. 2019; Karras et al. 2020, section 5). The error is that of the
    best step. Images of its training set that a generator has memorized have smaller errors.
    Everything is computed on the network's device. on_batch gets the size of each finished batch.
    """
    device = next(network.parameters()).device
    centers, spread = _styles(network, device=device, seed=seed)
    parts = []
    for start in range(0, len(images), how.batch):
        rows = slice(start, start + how.batch)
        kinds = torch.from_numpy(labels[rows]).to(device) if len(centers) > 1 else None
        first = centers[kinds] if kinds is not None else centers.expand(len(images[rows]), -1)
        target = sg.from_uint8(torch.from_numpy(np.array(images[rows])).to(device))[:, None]
        parts.append(_inverted(network, target, first, spread, how))
        on_batch(len(target))
    return np.concatenate(parts)


def _inverted(
    network: Any, target: Tensor, first: Tensor, spread: float, how: Inversion
) -> np.ndarray:
    w = first.clone().requires_grad_(True)
    optimizer = torch.optim.Adam([w], lr=how.rate * spread)
    best = torch.full((len(target),), torch.inf, device=target.device)
    with torch.no_grad():
        wanted = None if how.features is None else how.features(target)
    for step in range(how.steps + 1):
        optimizer.param_groups[0]["lr"] = how.rate * spread * _rate(step / how.steps)
        ws = w[:, None].expand(-1, network.config.num_ws, -1)
        image = _gray(network.synthesis(ws, noise="const"), target.shape[-1])
        if how.features is None or wanted is None:
            errors = (image - target).square().flatten(1).mean(1)
        else:
            errors = (how.features(image) - wanted).square().mean(1) / wanted.square().mean()
        best = torch.minimum(best, errors.detach())
        optimizer.zero_grad(set_to_none=True)
        errors.sum().backward()
        optimizer.step()
    errors_of_best: np.ndarray = best.double().cpu().numpy()
    return errors_of_best


def _rate(done: float) -> float:
    """The share of the learning rate at a share of the steps: up, level, down as a cosine."""
    fall = min(1.0, (1 - done) / FALL)
    return min(1.0, done / WARMUP) * (0.5 - 0.5 * float(np.cos(fall * np.pi)))


def _gray(images: Tensor, px: int) -> Tensor:
    """[N, C, H, W] as [N, 1, px, px]: the mean of the channels, antialiased."""
    gray = images.mean(1, keepdim=True)
    if gray.shape[-1] == px:
        return gray
    return functional.interpolate(gray, (px, px), mode="bicubic", antialias=True)


@torch.no_grad()
def _styles(network: Any, *, device: torch.device, seed: int) -> tuple[Tensor, float]:
    """The mean w of each class [K, w_dim] (K = 1 without classes), and the spread around it."""
    stream = torch.Generator().manual_seed(seed)
    z = torch.randn(STYLES, network.config.z_dim, generator=stream).to(device)
    kinds = condition_table(network.config.c_dim, len(CLASSES)).to(device)
    centers, squares = [], []
    for kind in kinds:
        w = network.mapping.style(z, kind.expand(STYLES, -1) if network.config.c_dim else None)
        centers.append(w.mean(0))
        squares.append((w - w.mean(0)).square().mean())
    return torch.stack(centers), float(torch.stack(squares).mean().sqrt())


# --- the real images of an audit -----------------------------------------------------------------


@dataclass(frozen=True)
class NetworkOptions:
    """How the generator's networks are attacked.

    images: how many members, and as many held-out images, are inverted; 0 leaves it out. bootstrap:
    rounds behind the intervals.
    """

    inversion: Inversion
    images: int
    bootstrap: int
    seed: int
    device: torch.device


def run(
    generator: TrainedGenerator,
    real: Real,
    options: NetworkOptions,
    *,
    on_step: Callable[[str], None],
) -> list[AttackResult]:
    """The discriminator's score of all members and held-out images, and the inversion of some.

    The first attack is left out if the generator's file holds no discriminator.
    """
    attacks, bootstrap = [], Bootstrap(options.bootstrap, np.random.default_rng([options.seed, 11]))
    everyone = Candidates(np.arange(len(real.members)), np.arange(len(real.held)))
    if generator.discriminator is not None:
        on_step("the discriminator")
        images, labels = _faces(real, everyone)
        network = generator.discriminator.to(options.device).eval().requires_grad_(False)
        scores = discriminator_scores(
            network, images, labels, rng=bootstrap.rng, device=options.device
        )
        attacks.append(_attack((DISCRIMINATOR, "its score"), real, everyone, scores, bootstrap))
    if options.images:
        few = Candidates(
            *(_some(rows, options.images, bootstrap.rng) for rows in vars(everyone).values())
        )
        errors = _errors(generator, real, few, options, on_step)
        space = "pixels" if options.inversion.features is None else "judge"
        attacks.append(_attack((INVERSION, space), real, few, -errors, bootstrap))
    return attacks


def _some(rows: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    return np.sort(rng.permutation(rows)[:count])


def _faces(real: Real, rows: Candidates) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of some members, then of some held-out images."""
    return (
        np.concatenate([real.members.images[rows.members], real.held.images[rows.others]]),
        np.concatenate([real.members.labels[rows.members], real.held.labels[rows.others]]),
    )


def _attack(
    key: tuple[str, str], real: Real, rows: Candidates, scores: np.ndarray, bootstrap: Bootstrap
) -> AttackResult:
    """The attack with these scores of the rows' images, members first."""
    split = Candidates(*np.split(scores, [len(rows.members)]))
    labels = Candidates(real.members.labels[rows.members], real.held.labels[rows.others])
    return attack_by_class(key, split, labels, bootstrap=bootstrap)


def _errors(
    generator: TrainedGenerator,
    real: Real,
    rows: Candidates,
    options: NetworkOptions,
    on_step: Callable[[str], None],
) -> np.ndarray:
    """[N] errors with which the generator reconstructs the rows' images."""
    images, labels = _faces(real, rows)
    done = 0

    def count(batch: int) -> None:
        nonlocal done
        done += batch
        on_step(f"inversion: {done} of {len(images)}")

    on_step("inversion")
    return invert(
        generator.network, images, labels, options.inversion, seed=options.seed, on_batch=count
    )
