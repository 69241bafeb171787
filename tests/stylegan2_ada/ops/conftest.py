"""Reference cases as parameters, and the kernels: emulated on the CPU, or on a GPU."""

import ast
import ctypes
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from stylegan2_ada.ops import build

HERE = Path(__file__).parent
REFERENCE_DIR = HERE.parents[1] / "reference"
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)  # as in cuda/kernels.h


@dataclass(frozen=True)
class Case:
    """One case of a reference file: its settings and its arrays, with those all cases share."""

    settings: dict
    arrays: dict[str, Tensor]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give tests with an argument `case` the cases of the file that their REFERENCE names."""
    if "case" in metafunc.fixturenames:
        cases = read_cases(REFERENCE_DIR / metafunc.module.REFERENCE)
        metafunc.parametrize("case", [pytest.param(c, id=title) for title, c in cases.items()])


def read_cases(path: Path) -> dict[str, Case]:
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    titles = [str(title) for title in arrays.pop("cases")]
    tensors = {name: torch.tensor(array) for name, array in arrays.items()}
    shared = {name: t for name, t in tensors.items() if not re.match(r"case\d+/", name)}
    cases = {}
    for i, title in enumerate(titles):
        pairs = re.findall(r"(\w+)=(\[.*?\]|\S+)", title)
        start = f"case{i:03d}/"
        own = {name.removeprefix(start): t for name, t in tensors.items() if start in name}
        cases[title] = Case({key: parsed(value) for key, value in pairs}, shared | own)
    return cases


def parsed(value: str) -> object:
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value


@pytest.fixture(scope="session")
def cuda_include() -> Path:
    """The CUDA toolkit's headers."""
    nvcc = shutil.which("nvcc")
    homes = [os.environ.get("CUDA_HOME"), nvcc and Path(nvcc).resolve().parents[1]]
    for home in [*filter(None, homes), "/usr/local/cuda", "/usr"]:
        if Path(home, "include/cuda_fp16.h").exists() and Path(home, "include/crt").exists():
            return Path(home, "include")
    pytest.skip("no headers of a CUDA toolkit")


@pytest.fixture(scope="session")
def emulator(cuda_include: Path, tmp_path_factory: pytest.TempPathFactory) -> "Emulator":
    """The kernels compiled for the CPU; see emulated/grid.h."""
    if shutil.which("g++") is None:
        pytest.skip("no g++")
    library = tmp_path_factory.mktemp("emulated") / "kernels.so"
    flags = ["-std=c++20", "-O1", "-w", "-fPIC", "-shared", "-isystem", str(cuda_include)]
    source = [f"-I{build.SOURCE_DIR}", str(HERE / "emulated/kernels.cpp"), "-o", str(library)]
    subprocess.run(["g++", *flags, *source], check=True)
    return Emulator(ctypes.CDLL(str(library)))


@pytest.fixture(params=["emulated", pytest.param("cuda", marks=pytest.mark.gpu)])
def kernel_device(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The device on which impl="cuda" runs the kernels in this test."""
    if request.param == "cuda":
        return "cuda"
    emulator = request.getfixturevalue("emulator")
    monkeypatch.setattr(build, "kernels", lambda: emulator)
    monkeypatch.setattr(build, "use_kernel", lambda impl, device: impl == "cuda")
    return "cpu"


class BiasActTask(ctypes.Structure):
    """BiasAct of cuda/kernels.h."""

    _fields_ = (
        [(name, ctypes.c_int) for name in ("dtype", "act", "order")]
        + [("from_output", ctypes.c_bool)]
        + [(name, ctypes.c_void_p) for name in ("in", "bias", "grad", "grad2", "out")]
        + [(name, ctypes.c_int64) for name in ("count", "bias_step", "bias_size")]
        + [(name, ctypes.c_double) for name in ("alpha", "gain", "clamp")]
    )


class Upfirdn2dTask(ctypes.Structure):
    """Upfirdn2d of cuda/kernels.h."""

    _fields_ = (
        [("dtype", ctypes.c_int), ("convolve", ctypes.c_bool)]
        + [(name, ctypes.c_void_p) for name in ("x", "taps", "y")]
        + [("outer", ctypes.c_int64), ("inner", ctypes.c_int64)]
        + [
            (name, ctypes.c_int * 2)
            for name in ("in_size", "out_size", "taps_size", "up", "down", "lead")
        ]
        + [("gain", ctypes.c_double)]
    )


class ScaledActTask(ctypes.Structure):
    """ScaledAct of cuda/kernels.h."""

    _fields_ = (
        [("dtype", ctypes.c_int), ("noise_each", ctypes.c_bool)]
        + [(name, ctypes.c_void_p) for name in ("x", "scale", "noise", "bias", "y", "grad")]
        + [(name, ctypes.c_void_p) for name in ("out", "sums", "noise_grad")]
        + [(name, ctypes.c_int64) for name in ("images", "pixels", "channels", "chunks")]
        + [(name, ctypes.c_double) for name in ("alpha", "clamp")]
    )


class Emulator:
    """Stands in for the compiled extension, see cuda/bindings.cpp.

    Inputs and outputs lie between NaN, so that a read beside the input shows in the result,
    and a write beside the output is noticed.
    """

    def __init__(self, library: ctypes.CDLL) -> None:
        self.library = library
        library.last_argument.restype = ctypes.c_char_p
        library.last_wide_loads.restype = ctypes.c_int64

    def last_kernel(self) -> tuple[str, bool]:
        """Argument type of the kernel that ran last, and whether it loaded 16 bytes at a time."""
        name = re.search(r"Argument = (?:\S*::)?(\w+)", self.library.last_argument().decode())
        return name[1], self.library.last_wide_loads() > 0

    def bias_act(
        self, x, b, grad, grad2, dim, act, order, from_output, alpha, gain, clamp
    ) -> Tensor:
        layout = layout_of(x)
        inputs = [None if t is None else fenced(t, layout) for t in (x, grad, grad2)]
        out = fenced(torch.full_like(inputs[0], torch.nan), layout)
        bias = None if b is None else fenced(b, torch.contiguous_format)
        step, size = (1, 1) if b is None else (inputs[0].stride(dim), x.shape[dim])
        pointers = [pointer(t) for t in (inputs[0], bias, *inputs[1:], out)]
        numbers = (x.numel(), step, size, alpha, gain, clamp)
        task = BiasActTask(DTYPES.index(x.dtype), act, order, from_output, *pointers, *numbers)
        assert self.library.bias_act(ctypes.byref(task)) == 0
        check_fence(out)
        return out

    def upfirdn2d(self, x, taps, up, down, lead, size, convolve, gain) -> Tensor:
        layout = layout_of(x)
        n, c = x.shape[:2]
        outer, inner = (n, c) if layout == torch.channels_last else (n * c, 1)
        source = fenced(x, layout)
        y = fenced(x.new_full((n, c, *size), torch.nan), layout)
        taps = fenced(taps, torch.contiguous_format)
        task = Upfirdn2dTask(DTYPES.index(x.dtype), convolve, *map(pointer, (source, taps, y)))
        task.outer, task.inner, task.gain = outer, inner, gain
        for name, pair in {
            "in_size": x.shape[2:],
            "out_size": size,
            "taps_size": taps.shape,
            "up": up,
            "down": down,
            "lead": lead,
        }.items():
            setattr(task, name, (ctypes.c_int * 2)(*pair))
        assert self.library.upfirdn2d(ctypes.byref(task)) == 0
        check_fence(y)
        return y

    def scaled_act(self, x, scale, noise, bias, alpha, clamp) -> Tensor:
        x, y = fenced(x, torch.channels_last), nan_like(x)
        given = [None if t is None else fenced(t, torch.contiguous_format) for t in (noise, bias)]
        task = self.scaled_act_task(x, scale, alpha, clamp)
        task.noise, task.bias, task.out = map(pointer, (*given, y))
        task.noise_each = noise is not None and noise.ndim == 4
        assert self.library.scaled_act(ctypes.byref(task)) == 0
        check_fence(y)
        return y

    def scaled_act_gradient(self, x, scale, y, grad, has_noise, alpha, clamp):
        x, y, grad = (fenced(t, torch.channels_last) for t in (x, y, grad))
        task = self.scaled_act_task(x, scale, alpha, clamp)
        task.chunks = min(3, task.pixels)
        dx = nan_like(x)
        shapes = [(2, task.images, task.chunks, task.channels), (task.images, task.pixels)]
        sums, noise = (nan_like(scale.new_empty(shape)) for shape in shapes)
        task.y, task.grad, task.out, task.sums = map(pointer, (y, grad, dx, sums))
        task.noise_grad = pointer(noise) if has_noise else None
        assert self.library.scaled_act(ctypes.byref(task)) == 0
        for written in (dx, sums, noise):
            check_fence(written)
        return dx, sums.sum(2), noise if has_noise else None

    def scaled_act_task(self, x, scale, alpha, clamp) -> ScaledActTask:
        """x must outlive the task."""
        numbers = {"images": len(x), "pixels": x.shape[2] * x.shape[3], "channels": x.shape[1]}
        numbers |= {"alpha": alpha, "clamp": clamp, "chunks": 1}
        task = ScaledActTask(DTYPES.index(x.dtype), **numbers)
        task.x, task.scale = pointer(x), pointer(scale)
        return task


def nan_like(t: Tensor) -> Tensor:
    """Between NaN, and NaN itself."""
    layout = torch.channels_last if t.ndim == 4 and not t.is_contiguous() else layout_of(t)
    return fenced(torch.full_like(t, torch.nan), layout)


FENCE = 64  # elements; keeps tensors aligned to 16 bytes


def fenced(t: Tensor, layout: torch.memory_format) -> Tensor:
    """A copy of t in the given layout, as far from an address of 16 bytes, between NaN."""
    t = t.contiguous(memory_format=layout)
    skew = t.data_ptr() % 16 // t.element_size()
    buffer = t.new_full((t.numel() + 2 * FENCE + skew,), torch.nan)
    inside = buffer.as_strided(t.shape, t.stride(), FENCE + skew)
    return inside.copy_(t)


def check_fence(t: Tensor) -> None:
    buffer = t.as_strided((t.numel() + 2 * FENCE,), (1,), t.storage_offset() - FENCE)
    assert buffer[:FENCE].isnan().all()
    assert buffer[-FENCE:].isnan().all()


def layout_of(t: Tensor) -> torch.memory_format:
    nhwc = t.ndim == 4 and not t.is_contiguous()
    nhwc = nhwc and t.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if nhwc else torch.contiguous_format


def pointer(t: Tensor | None) -> int | None:
    return None if t is None else t.data_ptr()
