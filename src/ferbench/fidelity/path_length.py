"""Perceptual path length: how evenly a generator's images change with its latents."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

import numpy as np
import torch
from torch import Tensor

import stylegan2_ada as sg
from ferbench.classes import CLASSES
from ferbench.gan.trained import condition_table

EPSILON = 1e-4  # step along the path, as published
KEPT = (1, 99)  # percentiles between which lengths are averaged, as published


@torch.no_grad()
def path_length(
    generator: sg.TwoStageGenerator,
    embed: Callable[[Tensor], Tensor],
    *,
    pairs: int,
    seed: int,
    batch: int,
) -> float:
    """Mean of |embed(G(w)) - embed(G(w + epsilon (w' - w)))|^2 / epsilon^2 over pairs of styles.

    Karras et al. 2020 (arXiv 1912.04958, section 3), in W at the path's ends, with constant noise
    and a judge's features in place of VGG's: values are comparable under one judge alone. The
    largest and the smallest percent are left out. Classes take turns, both ends of a path are of
    one class; a pair depends on its own seeds, not on the batch.

    embed: maps [N, 1, H, W] float32 images in [-1, 1] to [N, F] float32, unrounded.
    """
    lengths: list[Tensor] = []
    numbers = iter(range(pairs))
    while rows := list(islice(numbers, batch)):
        lengths.append(_lengths(generator, embed, rows, seed))
    values = torch.cat(lengths).double().numpy()
    low = np.percentile(values, KEPT[0], method="lower")
    high = np.percentile(values, KEPT[1], method="higher")
    return float(values[(values >= low) & (values <= high)].mean())


def _lengths(
    generator: sg.TwoStageGenerator, embed: Callable[[Tensor], Tensor], rows: list[int], seed: int
) -> Tensor:
    """[len(rows)] squared lengths over epsilon squared."""
    mapping, like = generator.mapping, generator.mapping.w_avg
    kinds = condition_table(mapping.c_dim, len(CLASSES))
    c = kinds[torch.tensor(rows) % len(kinds)].to(like)
    ends = []
    for end in (0, 1):
        streams = [torch.Generator().manual_seed(seed + 2 * row + end) for row in rows]
        ends.append(mapping.style(sg.latents(streams, mapping.z_dim).to(like), c))
    near = ends[0].lerp(ends[1], EPSILON)
    a, b = (embed(_images(generator, w)) for w in (ends[0], near))
    return (a - b).square().sum(1).cpu() / EPSILON**2


def _images(generator: sg.TwoStageGenerator, w: Tensor) -> Tensor:
    """Gray images [N, 1, H, W] float32, not rounded and not clamped, of styles [N, w_dim]."""
    ws = w[:, None].expand(-1, generator.mapping.num_ws, -1)
    images: Tensor = generator.synthesis(ws, noise="const", dtype=torch.float32)
    return images.float().mean(1, keepdim=True)
