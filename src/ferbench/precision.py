"""Number formats: which one a device computes in, and the autocast that goes with it."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch

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


def choose(wanted: str, device: torch.device) -> Precision:
    """The format for precision=`wanted`; auto is bfloat16 where the hardware has it, else float32.

    Raises UserError for float16 off CUDA: CPUs emulate it.
    """
    if wanted == "fp16" and device.type != "cuda":
        raise UserError(f"precision=fp16: needs a CUDA device; expected bf16 or fp32 on {device.type}")
    if wanted == "auto":
        wanted = "bf16" if has_bfloat16(device) else "fp32"
    return Precision(wanted, device.type)


def has_bfloat16(device: torch.device) -> bool:
    """True if bfloat16 products run in hardware: Ampere and later GPUs, AVX512-BF16 or AMX CPUs."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    tests = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in tests)
