"""Images from seeds: image i depends on its own seed and condition, never on the batch.

Here are also the centres that truncation pulls toward, pixels as uint8, and diversity.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call

from .networks import BatchNorm, MappingNetwork, PlainMapping, SynthesisLayer, TwoStageGenerator

NOISES = ("const", "seed", "none")


@torch.no_grad()
def sample(
    generator: TwoStageGenerator,
    seeds: Sequence[int],
    conditions: Tensor,
    *,
    psi: float = 1.0,
    cutoff: int | None = None,
    center: Tensor | None = None,
    noise: str = "const",
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Images [N, C, H, W] float32, about [-1, 1], on the generator's device.

    conditions: [N, c_dim], one row a seed. center: of truncation, [w_dim] or [N, w_dim]; None: the
    running mean of w. noise: "const" the stored maps, "seed" maps drawn from the image's own seed,
    "none". One call is one batch: a long list is to be split. In another batch the same seed gives
    the same image to rounding, so the generator must be in evaluation mode if it has batch
    normalisation (the plain ones have). Raises ValueError if it is not, or for an unknown noise.
    """
    if noise not in NOISES:
        raise ValueError(f"noise={noise}: must be one of {', '.join(NOISES)}")
    if generator.training and any(isinstance(one, BatchNorm) for one in generator.modules()):
        raise ValueError("generator: in training mode its images depend on their batch; eval() it")
    assert len(seeds) == len(conditions), f"{len(seeds)} seeds, {len(conditions)} conditions"
    like = generator.mapping.w_avg
    streams = [torch.Generator().manual_seed(seed) for seed in seeds]
    z = latents(streams, generator.config.z_dim).to(like)
    maps = _noise_maps(generator, streams) if noise == "seed" else {}
    mode = "none" if noise == "none" else "const"
    options: dict[str, Any] = {"psi": psi, "cutoff": cutoff, "center": center, "noise": mode}
    options["dtype"] = dtype
    images: Tensor = functional_call(generator, maps, (z, conditions.to(like)), options)
    return images


def latents(streams: Sequence[torch.Generator], z_dim: int) -> Tensor:
    """[N, z_dim] normal numbers, row i drawn from streams[i] on the CPU."""
    return torch.stack([torch.randn(z_dim, generator=stream) for stream in streams])


def _noise_maps(
    generator: TwoStageGenerator, streams: Sequence[torch.Generator]
) -> dict[str, Tensor]:
    """Maps [N, 1, R, R] in place of each layer's stored one, row i drawn from streams[i]."""
    maps = {}
    for name, layer in generator.named_modules():
        if isinstance(layer, SynthesisLayer):
            shape = (1, layer.resolution, layer.resolution)
            rows = [torch.randn(shape, generator=stream) for stream in streams]
            maps[f"{name}.noise_const"] = torch.stack(rows).to(layer.noise_const)
    return maps


@torch.no_grad()
def class_centers(
    mapping: MappingNetwork | PlainMapping,
    conditions: Tensor,
    *,
    latents: int,
    generator: torch.Generator,
) -> Tensor:
    """Mean w of each condition, [K, w_dim] in the conditions' dtype.

    One centre for all classes pulls every expression toward the average face; a centre a class
    keeps the condition (as one a cluster does in Mokady et al. 2022, arXiv 2202.12211).

    conditions: [K, c_dim], `torch.eye(classes)` for one-hot labels; the same `latents` latents,
    drawn from `generator` (on the CPU), are used for all of them.
    """
    z = torch.randn(latents, mapping.z_dim, generator=generator).to(conditions)
    rows = [mapping.style(z, c.expand(latents, -1)).mean(0) for c in conditions]
    return torch.stack(rows)


def centers_of(c: Tensor, centers: Tensor) -> Tensor:
    """Centre of each image, [N, w_dim]: that of its class, or the mixture its condition names.

    c: [N, K], rows sum to 1; centers: [K, w_dim] in the order of the classes.
    """
    return c.to(centers) @ centers


def to_uint8(images: Tensor) -> Tensor:
    """Images about [-1, 1] as uint8: -1 is 0, 1 is 255, the nearest value between, clamped."""
    return ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def from_uint8(images: Tensor) -> Tensor:
    """The inverse: uint8 to float32 in [-1, 1]."""
    return images.float() / 127.5 - 1


def class_diversity(
    generator: TwoStageGenerator, conditions: Tensor, seeds: Sequence[int]
) -> tuple[float, ...]:
    """How far the samples of each condition lie apart; 0 where a class has collapsed.

    conditions: [K, c_dim]; every condition gets the same seeds, two or more. Returns K numbers:
    the mean over pairs of the root mean square difference of pixels in [-1, 1].
    """
    assert len(seeds) >= 2, "a distance needs two images"
    spreads = []
    for condition in conditions:
        images = sample(generator, seeds, condition.expand(len(seeds), -1)).flatten(1)
        spreads.append(torch.pdist(images).mean() / images.shape[1] ** 0.5)
    return tuple(float(spread) for spread in spreads)
