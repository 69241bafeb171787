"""Mapping and synthesis in one."""

from typing import Any

import torch
from torch import Tensor, nn

from .config import GeneratorConfig
from .mapping import MappingNetwork
from .synthesis import SynthesisNetwork


class TwoStageGenerator(nn.Module):
    """What every generator here is: `mapping` to style vectors, `synthesis` to images."""

    config: Any  # img_resolution, img_channels, c_dim, z_dim, w_dim, num_ws; to_dict()
    mapping: Any  # a module as MappingNetwork is
    synthesis: Any  # a module as SynthesisNetwork is

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        *,
        psi: float = 1.0,
        cutoff: int | None = None,
        center: Tensor | None = None,
        noise: str = "const",
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """Images [N, img_channels, H, W] of latents z [N, z_dim] and conditions c [N, c_dim].

        See MappingNetwork and SynthesisNetwork for the options.
        """
        ws = self.mapping(z, c, psi=psi, cutoff=cutoff, center=center)
        images: Tensor = self.synthesis(ws, noise=noise, generator=generator, dtype=dtype)
        return images


class Generator(TwoStageGenerator):
    """StyleGAN2 generator (Karras et al. 2020); initial weights come from torch's own generator."""

    config: GeneratorConfig
    mapping: MappingNetwork
    synthesis: SynthesisNetwork

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.synthesis = SynthesisNetwork(config)
        self.mapping = MappingNetwork(
            z_dim=config.z_dim,
            c_dim=config.c_dim,
            w_dim=config.w_dim,
            num_ws=config.num_ws,
            num_layers=config.mapping_layers,
            w_avg_beta=config.w_avg_beta,
        )


def mix_styles(
    ws: Tensor, other: Tensor, *, probability: float, generator: torch.Generator
) -> Tensor:
    """Style mixing: with `probability`, image i takes its later layers from `other`.

    The first layer taken is drawn for each image from 1 to num_ws - 1 (StyleGAN, arXiv
    1812.04948, section 3.1). ws, other: [N, num_ws, w_dim]. Draws come from `generator`, which
    lies on their device; nothing is read from there.
    """
    n, num_ws, _ = ws.shape
    first = torch.randint(1, num_ws, [n], generator=generator, device=ws.device)
    mixed = torch.rand(n, generator=generator, device=ws.device) < probability
    first = torch.where(mixed, first, num_ws)
    keep = torch.arange(num_ws, device=ws.device) < first[:, None]  # [N, num_ws]
    return torch.where(keep[:, :, None], ws, other)
