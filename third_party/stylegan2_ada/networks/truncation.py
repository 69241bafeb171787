"""Truncation of styles toward a centre: less variety for better images."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from .baselines import PlainMapping
    from .mapping import MappingNetwork


def truncate(ws: Tensor, center: Tensor, *, psi: float, cutoff: int | None = None) -> Tensor:
    """center + psi * (w - center) for the first `cutoff` layers (all for None).

    ws: [N, num_ws, w_dim]; center: [w_dim] (global) or [N, w_dim] (one an image, as of its class).
    psi: 1 keeps w, 0 gives the centre. Raises ValueError if psi is outside [0, 1] or cutoff
    outside [0, num_ws].
    """
    num_ws = ws.shape[1]
    cutoff = num_ws if cutoff is None else cutoff
    if not 0 <= psi <= 1:
        raise ValueError(f"psi={psi}: must be in [0, 1]")
    if not 0 <= cutoff <= num_ws:
        raise ValueError(f"cutoff={cutoff}: must be in [0, {num_ws}]")
    center = center.expand(ws.shape[0], -1)[:, None]  # [N, 1, w_dim]
    return torch.cat([center.lerp(ws[:, :cutoff], psi), ws[:, cutoff:]], 1)


@torch.no_grad()
def class_centers(
    mapping: "MappingNetwork | PlainMapping",
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
