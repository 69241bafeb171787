"""Signs that a GAN's training has gone wrong, from the numbers of a tick."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ferbench.gan.setup import Material
from ferbench.metrics.feature_sets import pixel_diversity

REFERENCE_FACES = 200  # of each class, for the diversity of real faces
NEAR_CAP = 0.999


def real_diversity(faces: Material) -> tuple[float, ...]:
    """How far the real faces of each kind lie apart, as `stylegan2_ada.class_diversity` measures.

    The mean over pairs of the root mean square difference of pixels in [-1, 1].
    """
    spreads = []
    for kind in range(len(faces.kinds)):
        everyone = len(faces.kinds) == 1
        rows = np.arange(len(faces.labels)) if everyone else np.flatnonzero(faces.labels == kind)
        chosen = np.random.default_rng(0).permutation(rows)[:REFERENCE_FACES]
        spreads.append(pixel_diversity(faces.images[np.sort(chosen)]) if len(chosen) > 1 else 0.0)
    return tuple(spreads)


def collapsed(
    diversity: Sequence[float], real: Sequence[float], names: Sequence[str], *, share: float
) -> list[str]:
    """A line for each class whose samples are nearly all alike: below `share` of the real ones."""
    return [
        f"{name} has collapsed: its samples differ by {own:.3f}, real faces by {theirs:.3f}"
        for name, own, theirs in zip(names, diversity, real, strict=True)
        if own < share * theirs
    ]


def running_away(numbers: Mapping[str, float], *, limit: float) -> list[str]:
    """A line if the discriminator's mean logits are beyond `limit`."""
    real, fake = numbers["real_logit"], numbers["fake_logit"]
    if max(abs(real), abs(fake)) <= limit:
        return []
    return [f"logits are running away: real {real:+.1f}, fake {fake:+.1f}"]


def at_cap(augment_p: float, p_max: float) -> list[str]:
    """A line if the augmentation probability cannot rise further."""
    if augment_p < NEAR_CAP * p_max or p_max == 0:
        return []
    return [f"augmentation is at its bound (p = {augment_p:.3f}): the discriminator still overfits"]
