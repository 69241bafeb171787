"""Number formats: which one a device computes in, and what makes a network fast in it."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ferbench.errors import UserError


@dataclass(frozen=True)
class Precision:
    """name: fp32, bf16 or fp16; device_type: cpu, cuda or mps."""

    name: str
    device_type: str

    @property
    def scales_loss(self) -> bool:
        """float16 gradients underflow without a scaled loss (Micikevicius et al. 2018)."""
        return self.name == "fp16"

    def autocast(self) -> AbstractContextManager[object]:
        """Context in which matrix products and convolutions run in this format."""
        if self.name == "fp32":
            return nullcontext()
        dtype = torch.bfloat16 if self.name == "bf16" else torch.float16
        return torch.autocast(self.device_type, dtype)

    def prepare(self, model: nn.Module) -> None:
        """Lay out a model's weights as the kernels of this format like them; names stay.

        Channels-last, and on a CPU in bfloat16 the grouped convolutions stay in float32. To be
        called again does no harm: weights that are laid out so stay where they are in memory.
        """
        kernels = [p for p in model.parameters() if p.ndim == 4]
        if not all(p.is_contiguous(memory_format=torch.channels_last) for p in kernels):
            model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if (self.name, self.device_type) == ("bf16", "cpu"):
            for module in model.modules():
                if type(module) is nn.Conv2d and module.groups > 1:
                    module.__class__ = _Float32Conv2d


class _Float32Conv2d(nn.Conv2d):
    """A convolution outside autocast, for depthwise ones on CPUs.

    Their gradients have no bfloat16 kernel there: mobilenet_v3 trains three times as fast so.
    """

    def forward(self, input: Tensor) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            return super().forward(input.float())


def choose(wanted: str, device: torch.device) -> Precision:
    """The format for precision=`wanted`; auto is bfloat16 where the hardware has it, else float32.

    Raises UserError for float16 off CUDA: CPUs emulate it.
    """
    if wanted == "fp16" and device.type != "cuda":
        raise UserError(
            f"precision=fp16: needs a CUDA device; expected bf16 or fp32 on {device.type}"
        )
    if wanted == "auto":
        wanted = "bf16" if has_bfloat16(device) else "fp32"
    return Precision(wanted, device.type)


def has_bfloat16(device: torch.device) -> bool:
    """True if bfloat16 products run in hardware: Ampere and later GPUs, AVX512-BF16 or AMX CPUs."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu":
        return False
    tests = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in tests)
