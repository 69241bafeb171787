"""Compilation of the CUDA kernels on first use, and the choice between them and plain PyTorch."""

import hashlib
import logging
import os
import re
import subprocess
from functools import cache
from pathlib import Path
from types import ModuleType

import torch

IMPLS = ("auto", "cuda", "ref")
SOURCE_DIR = Path(__file__).parent / "cuda"
SOURCES = (
    "bindings.cpp",
    "bias_act.cu",
    "fir_packs.cu",
    "fir_tiles.cu",
    "scaled_act.cu",
    "upfirdn2d.cu",
)
CFLAGS = ("-O3",)

log = logging.getLogger("stylegan2_ada")
_auto = "auto"


def set_impl(impl: str) -> None:
    """Set what impl="auto" stands for in this process: "auto", "cuda" or "ref".

    For runs that must not fall back ("cuda") and for comparisons ("ref"). Calls that name "cuda"
    or "ref" themselves keep what they name. Raises ValueError for another word.
    """
    global _auto
    _auto = _checked(impl)


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def use_kernel(impl: str, device: torch.device) -> bool:
    """Whether an operator called with `impl` on a tensor of `device` runs the CUDA kernel.

    "auto" takes the kernel on CUDA devices if it can be built, else plain PyTorch; the first
    time that it has to do without, one logged line gives the reason.
    Raises RuntimeError for "cuda" where there is no kernel for this device, ValueError for a
    word that is none of IMPLS.
    """
    impl = _auto if _checked(impl) == "auto" else impl
    if impl == "ref" or (impl == "auto" and device.type != "cuda"):
        return False
    if device.type != "cuda":
        raise RuntimeError(f"impl='cuda' needs a CUDA tensor, got one on {device}")
    built = _build()
    if isinstance(built, ModuleType):
        return True
    if impl == "cuda":
        raise RuntimeError(f"the CUDA kernels cannot be used: {built}")
    _log_fallback(built)
    return False


def kernels() -> ModuleType:
    """The compiled kernels: `bias_act`, `scaled_act`, `upfirdn2d` and more in cuda/bindings.cpp.

    The first call compiles them (about half a minute), into PyTorch's folder for extensions
    (TORCH_EXTENSIONS_DIR), where later processes find them.
    Raises RuntimeError with the reason if they cannot be built.
    """
    built = _build()
    if isinstance(built, str):
        raise RuntimeError(f"the CUDA kernels cannot be used: {built}")
    return built


def extension_name() -> str:
    """Name of the extension: another one for other sources, flags or PyTorch versions."""
    digest = hashlib.sha256(repr((torch.__version__, CFLAGS)).encode())
    for path in sorted(SOURCE_DIR.iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return f"stylegan2_ada_ops_{digest.hexdigest()[:16]}"


def _checked(impl: str) -> str:
    if impl not in IMPLS:
        raise ValueError(f"impl={impl!r}: expected one of {', '.join(IMPLS)}")
    return impl


@cache
def _build() -> ModuleType | str:
    """The compiled kernels, or why there are none; tried once a process."""
    if torch.version.cuda is None:
        return "this PyTorch was built without CUDA"
    if not torch.cuda.is_available() and "TORCH_CUDA_ARCH_LIST" not in os.environ:
        return "no CUDA device was found (TORCH_CUDA_ARCH_LIST names one to compile for)"
    from torch.utils import cpp_extension  # looks for a compiler: not on import

    if cpp_extension.CUDA_HOME is None:
        return "no CUDA toolkit was found (nvcc on the PATH, or CUDA_HOME)"
    cpp_extension.CUDA_HOME = _toolkit(cpp_extension.CUDA_HOME)
    try:
        return cpp_extension.load(
            extension_name(),
            [str(SOURCE_DIR / source) for source in SOURCES],
            extra_cflags=list(CFLAGS),
            extra_cuda_cflags=list(CFLAGS),
        )
    except (RuntimeError, OSError, ImportError) as error:  # no ninja, no compiler, no match
        return str(error)


def _toolkit(home: str) -> str:
    """The toolkit with the headers: `home`, or where the nvcc in it reports to lie.

    PyTorch takes the folder above that of nvcc on the PATH, which may be a script or a link.
    """
    nvcc = Path(home, "bin/nvcc")
    if Path(home, "include/cuda_runtime.h").exists() or not nvcc.exists():
        return home
    run = subprocess.run([nvcc, "--dryrun", "any.cu"], capture_output=True, text=True, check=False)
    folder = re.search(r"^#\$ _HERE_=(.+)$", run.stderr, re.MULTILINE)
    return str(Path(folder[1]).parent) if folder else home


@cache
def _log_fallback(reason: str) -> None:
    summary = reason.strip().splitlines()[0]
    log.warning("CUDA kernels are not used, plain PyTorch is slower here: %s", summary)
