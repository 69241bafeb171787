"""The attacks that need the generator's networks, on the real images of an audit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from ferbench.gan.trained import TrainedGenerator
from ferbench.privacy import network_attacks
from ferbench.privacy.audit import AttackResult, attack_by_class
from ferbench.privacy.network_attacks import Inversion
from ferbench.privacy.real import Real
from ferbench.privacy.roles import Attacked

DISCRIMINATOR, INVERSION = "discriminator", "inversion"
ASK_NETWORKS = frozenset({DISCRIMINATOR, INVERSION})  # attacks that the set alone does not allow


def run(
    generator: TrainedGenerator,
    real: Real,
    inversion: Inversion,
    *,
    images: int,
    rounds: int,
    seed: int,
    device: torch.device,
    on_step: Callable[[str], None],
) -> list[AttackResult]:
    """The discriminator's score of all members and held-out images, and the inversion of some.

    images: how many members, and as many held-out images, are inverted; 0 leaves it out. The first
    attack is left out if the generator's file holds no discriminator.
    """
    found, rng = [], np.random.default_rng([seed, 11])
    everyone = Attacked(np.arange(len(real.members)), np.arange(len(real.held)))
    if generator.discriminator is not None:
        on_step("the discriminator")
        network = generator.discriminator.to(device).eval().requires_grad_(False)
        scores = network_attacks.discriminator_scores(
            network, *_images(real, everyone), rng=rng, device=device
        )
        found.append(_result(DISCRIMINATOR, "its score", real, everyone, scores, rounds, rng))
    if images:
        few = Attacked(*(np.sort(rng.permutation(r)[:images]) for r in vars(everyone).values()))
        errors = _errors(generator, real, few, inversion, seed, device, on_step)
        space = "pixels" if inversion.features is None else "judge"
        found.append(_result(INVERSION, space, real, few, -errors, rounds, rng))
    return found


def _images(real: Real, rows: Attacked) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of some members, then of some held-out images."""
    return (
        np.concatenate([real.members.images[rows.members], real.held.images[rows.others]]),
        np.concatenate([real.members.labels[rows.members], real.held.labels[rows.others]]),
    )


def _result(
    name: str,
    space: str,
    real: Real,
    rows: Attacked,
    scores: np.ndarray,
    rounds: int,
    rng: np.random.Generator,
) -> AttackResult:
    """The attack with these scores of the rows' images, members first."""
    split = Attacked(*np.split(scores, [len(rows.members)]))
    labels = Attacked(real.members.labels[rows.members], real.held.labels[rows.others])
    return attack_by_class(name, space, split, labels, rounds=rounds, rng=rng, bias={})


def _errors(
    generator: TrainedGenerator,
    real: Real,
    rows: Attacked,
    inversion: Inversion,
    seed: int,
    device: torch.device,
    on_step: Callable[[str], None],
) -> np.ndarray:
    """[N] errors with which the generator gives the rows' images back."""
    images, labels = _images(real, rows)
    done = 0

    def count(batch: int) -> None:
        nonlocal done
        done += batch
        on_step(f"inversion: {done} of {len(images)}")

    on_step("inversion")
    return network_attacks.invert(
        generator.network, images, labels, inversion, device=device, seed=seed, on_batch=count
    )
