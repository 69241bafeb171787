"""From latents and conditions to style vectors, and their truncation toward a centre."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from .layers import Linear

LR_MULTIPLIER = 0.01


def normalized(x: Tensor) -> Tensor:
    """Rows of [N, D] divided by their root mean square."""
    return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


class MappingNetwork(nn.Module):
    """Dense layers from z and the embedded condition to w.

    z_dim or c_dim may be 0: the discriminator embeds conditions alone. `num_ws=None` returns w as
    it is; `w_avg_beta=None` keeps no running mean, which else the trainer moves once a step.
    """

    w_avg: Tensor

    def __init__(
        self,
        *,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        num_ws: int | None,
        num_layers: int,
        w_avg_beta: float | None,
    ) -> None:
        super().__init__()
        self.z_dim, self.c_dim, self.w_dim = z_dim, c_dim, w_dim
        self.num_ws, self.num_layers, self.w_avg_beta = num_ws, num_layers, w_avg_beta
        if c_dim > 0:
            self.embed = Linear(c_dim, w_dim)
        sizes = [z_dim + (w_dim if c_dim > 0 else 0)] + [w_dim] * num_layers
        for i, (wide, out) in enumerate(pairwise(sizes)):
            layer = Linear(wide, out, activation="lrelu", lr_multiplier=LR_MULTIPLIER)
            self.add_module(f"fc{i}", layer)
        if w_avg_beta is not None:
            self.register_buffer("w_avg", torch.zeros(w_dim))

    def forward(
        self,
        z: Tensor | None,
        c: Tensor | None,
        *,
        psi: float = 1.0,
        cutoff: int | None = None,
        center: Tensor | None = None,
    ) -> Tensor:
        """Style vectors [N, num_ws, w_dim], or [N, w_dim] without num_ws.

        z: [N, z_dim] normal latents; c: [N, c_dim] conditions, one-hot or any numbers.
        psi, cutoff, center: see `truncate`; center: None is the running mean.
        """
        w = self.style(z, c)  # [N, w_dim]
        if self.num_ws is None:
            return w
        ws = w[:, None].expand(-1, self.num_ws, -1)  # [N, num_ws, w_dim]
        if psi == 1:
            return ws
        return truncate(ws, self.w_avg if center is None else center, psi=psi, cutoff=cutoff)

    def style(self, z: Tensor | None, c: Tensor | None) -> Tensor:
        """w of each image before broadcasting and truncation, [N, w_dim]."""
        parts = []
        if self.z_dim > 0:
            assert z is not None
            assert z.shape[1] == self.z_dim
            parts.append(normalized(z))
        if self.c_dim > 0:
            assert c is not None
            assert c.shape[1] == self.c_dim
            parts.append(normalized(self.embed(c)))
        w = torch.cat(parts, 1)
        for i in range(self.num_layers):
            w = self.get_submodule(f"fc{i}")(w)
        return w


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
