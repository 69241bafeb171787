"""Build the CUDA kernels, compare them with plain PyTorch and time them.

    python scripts/check_kernels.py outputs/kernels                  # on a machine with a GPU
    python scripts/check_kernels.py outputs/kernels --compile-only   # nvcc is enough

Prints a table and writes kernels.json to the given folder: the environment, the build, the
outcome of every test marked `gpu` of the operators (kernel against reference in all dtypes,
gradcheck, gradgradcheck), and for each operator its time, the memory bandwidth it reaches as a
share of that of a copy, and the time of plain PyTorch. Ends with status 1 if the build or a test
fails. Takes about a minute. Each step's result is written as it comes.

What is timed is a CUDA graph of several calls: the work of the GPU without the host's, as in a
captured training step. A kernel that could not be captured would fail here.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from itertools import product
from math import sqrt
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple
from xml.etree import ElementTree

import torch
from torch import Tensor

from stylegan2_ada.ops import (
    bias_act,
    build,
    conv2d_resample,
    scaled_act,
    setup_filter,
    upfirdn2d,
)

TESTS = Path(__file__).resolve().parents[1] / "tests/stylegan2_ada/ops"
LARGE = (64, 128, 64, 64)  # 67 MB in half precision: more than the caches hold
SMALL = (64, 128, 24, 24)  # features in the middle of a network for 48 pixels
GRAY = (128, 1, 208, 208)  # images with their margins, under the augmentation's wavelet
DTYPES = (torch.float16, torch.bfloat16, torch.float32)
LAYOUTS = {"nchw": torch.contiguous_format, "nhwc": torch.channels_last}
CALLS, REPLAYS = 10, 5  # calls a graph; replays of it
REPEATS = 3  # of plain PyTorch
HEAD = f"{'operator':32}{'dtype':10}{'layout':8}{'ms':>8}{'GB/s':>8}{'of copy':>9}{'ref ms':>8}"
ROW = "{operator:32}{dtype:10}{layout:8}{ms:8.3f}{gb_s:8.0f}{share:9.0%}{ref_ms:8.3f}"
Report = dict[str, Any]  # what goes into the JSON file


def main() -> int:
    """Run all checks; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where kernels.json goes")
    parser.add_argument("--compile-only", action="store_true", help="build, but run nothing")
    options = parser.parse_args()
    if options.compile_only:
        os.environ.setdefault("TORCH_CUDA_ARCH_LIST", "7.5;8.0;9.0")
    elif not torch.cuda.is_available():
        parser.error("there is no CUDA device; --compile-only does without one")

    report: Report = {"environment": environment(), "build": built()}
    print(json.dumps(report, indent=2))
    failed = "error" in report["build"]
    write(options.folder / "kernels.json", report)
    if not failed and not options.compile_only:
        report["copy_gb_s"], report["timings"] = timed()
        write(options.folder / "kernels.json", report)
        report["tests"] = tested(options.folder)
        failed = report["tests"]["failed"] > 0 or report["tests"]["passed"] == 0
        write(options.folder / "kernels.json", report)
    return int(failed)


def environment() -> Report:
    """Versions and the device."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {"python": sys.version.split()[0], "torch": torch.__version__, "gpu": gpu}


def built() -> Report:
    """Name and seconds of the build (few if it was cached), or its error."""
    start = time.perf_counter()
    try:
        build.kernels()
    except RuntimeError as error:
        return {"name": build.extension_name(), "error": str(error)}
    return {"name": build.extension_name(), "seconds": round(time.perf_counter() - start, 1)}


def tested(folder: Path) -> Report:
    """Outcome of the operators' tests that are marked gpu."""
    folder.mkdir(parents=True, exist_ok=True)
    results = folder / "gpu_tests.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", str(TESTS)]
    command += ["-n", "4"] if find_spec("xdist") else []
    start = time.perf_counter()
    subprocess.run([*command, f"--junitxml={results}"], check=False)
    seconds = round(time.perf_counter() - start, 1)
    cases = list(ElementTree.parse(results).iter("testcase"))
    bad = [case.get("name", "") for case in cases if {"failure", "error"} & {e.tag for e in case}]
    skipped = sum(case.find("skipped") is not None for case in cases)
    passed = len(cases) - len(bad) - skipped
    counts = {"passed": passed, "failed": len(bad), "skipped": skipped}
    return {**counts, "failures": bad, "seconds": seconds}


def timed() -> tuple[float, list[Report]]:
    """GB/s of a copy, and one row an operator, dtype, layout and size, printed as it comes."""
    source = torch.randn(LARGE, device="cuda")
    copy_gb_s = 2 * source.nbytes / captured_milliseconds(source.clone) / 1e6
    print(f"copying reaches {copy_gb_s:.0f} GB/s")
    print(HEAD)
    rows = []
    for dtype, (layout, memory_format) in product(DTYPES, LAYOUTS.items()):
        x = torch.randn(LARGE, device="cuda").to(dtype, memory_format=memory_format)
        rows += [measured(task, layout, copy_gb_s) for task in large_tasks(x)]
    x = torch.randn(SMALL, device="cuda").to(torch.bfloat16, memory_format=LAYOUTS["nhwc"])
    rows += [measured(task, "nhwc", copy_gb_s) for task in tasks(x, " 24 px")]
    rows += [measured(task, "nhwc", copy_gb_s) for task in scaled_tasks(x, " 24 px")]
    x = torch.randn(GRAY, device="cuda")
    rows += [measured(task, "nchw", copy_gb_s) for task in wavelet_tasks(x, " gray")]
    return copy_gb_s, rows


Start = Callable[[str], Callable[[], Tensor]]


class Task(NamedTuple):
    """An operator to time: `start(impl)` gives the function, whose inputs are `read`."""

    operator: str
    start: Start
    read: list[Tensor]


def large_tasks(x: Tensor) -> list[Task]:
    """A copy of this size and type to compare with, and every operator."""
    copy = Task("copy", lambda impl: x.clone, [x])
    scaled = [] if x.is_contiguous() else scaled_tasks(x)
    return [copy, *tasks(x), *scaled, *wavelet_tasks(x), *convolution_tasks(x)]


def forward(operator: Callable[..., Tensor], *args: Tensor, **settings: Any) -> Start:
    """Starts an operator that takes `impl`."""
    return lambda impl: partial(operator, *args, **settings, impl=impl)


def tasks(x: Tensor, note: str = "") -> list[Task]:
    """What a training step spends its time on."""
    f, b = setup_filter([1, 3, 3, 1]).cuda(), torch.randn(x.shape[1]).to(x)
    fir = partial(upfirdn2d, x)
    lrelu = forward(bias_act, x, b, act="lrelu", clamp=256)
    return [
        Task(f"bias_act lrelu{note}", lrelu, [x]),
        Task(f"bias_act lrelu gradient{note}", lrelu_gradient(x), [x, x]),
        Task(f"bias_act swish{note}", forward(bias_act, x, b, act="swish"), [x]),
        Task(f"bias_act swish curvature{note}", swish_curvature(x), [x, x, x]),
        Task(f"4 x 4{note}", forward(fir, f, padding=[2, 1, 2, 1]), [x]),
        Task(f"4 x 4 up 2{note}", forward(fir, f, up=2, padding=[2, 1, 2, 1]), [x]),
        Task(f"4 x 4 down 2{note}", forward(fir, f, down=2, padding=1), [x]),
        Task(f"4 x 3 any geometry{note}", forward(fir, f[:, :3], padding=1), [x]),
    ]


def scaled_tasks(x: Tensor, note: str = "") -> list[Task]:
    """The end of a modulated convolution, and its gradients with respect to all inputs."""
    scale, b = torch.randn(x.shape[:2], device="cuda"), torch.randn(x.shape[1]).to(x)
    noise = torch.randn(len(x), 1, *x.shape[2:]).to(x)
    given = [x, scale, noise, b]

    def gradient(impl: str) -> Callable[[], Tensor]:
        if impl == "cuda":
            kernel = build.kernels().scaled_act_gradient
            y = scaled_act(*given, clamp=256, impl=impl)
            return lambda: kernel(x, scale, y, x, True, 0.2, 256.0)[0]
        leaves = [t.detach().requires_grad_() for t in given]
        y = scaled_act(*leaves, clamp=256, impl=impl)
        return lambda: torch.autograd.grad(y, leaves, x, retain_graph=True)[0]

    return [
        Task(f"scaled_act{note}", forward(scaled_act, *given, clamp=256), [x]),
        Task(f"scaled_act gradient{note}", gradient, [x, x, x]),
    ]


def wavelet_tasks(x: Tensor, note: str = "") -> list[Task]:
    """Two passes each; GB/s counts neither the writing nor the reading of what lies between."""
    sym6, fir = setup_filter(range(1, 13)).cuda(), partial(upfirdn2d, x)
    return [
        Task(f"12 + 12 up 2{note}", forward(fir, sym6, up=2, padding=[6, 5, 6, 5]), [x]),
        Task(f"12 + 12 down 2{note}", forward(fir, sym6, down=2, padding=5), [x]),
    ]


def convolution_tasks(x: Tensor) -> list[Task]:
    """A convolution with its filter."""
    f, w = setup_filter([1, 3, 3, 1]).cuda(), torch.randn(x.shape[1], x.shape[1], 3, 3).to(x)
    conv = partial(conv2d_resample, x, w, f, padding=1)
    return [
        Task("convolution 3 x 3 up 2", forward(conv, up=2), [x, w]),
        Task("convolution 3 x 3 down 2", forward(conv, down=2), [x, w]),
    ]


def lrelu_gradient(x: Tensor) -> Start:
    """The kernel of the gradient alone, as autograd calls it: from the output."""

    def start(impl: str) -> Callable[[], Tensor]:
        leaf = x.detach().requires_grad_()
        y = bias_act(leaf, act="lrelu", clamp=256, impl=impl)
        if impl == "cuda":
            kernel = build.kernels().bias_act
            y = y.detach()
            return lambda: kernel(y, None, x, None, 1, 0, 1, True, 0.2, sqrt(2), 256.0)
        return lambda: torch.autograd.grad(y, leaf, x, retain_graph=True)[0]

    return start


def swish_curvature(x: Tensor) -> Start:
    """The kernel of the second derivative alone."""

    def start(impl: str) -> Callable[[], Tensor]:
        if impl == "cuda":
            kernel = build.kernels().bias_act
            return lambda: kernel(x, None, x, x, 1, 6, 2, False, 0.2, sqrt(2), -1.0)
        leaf = x.detach().requires_grad_()
        y = bias_act(leaf, act="swish", impl=impl)
        (dx,) = torch.autograd.grad(y, leaf, x, create_graph=True)
        return lambda: torch.autograd.grad(dx, leaf, x, retain_graph=True)[0]

    return start


def measured(task: Task, layout: str, copy_gb_s: float) -> Report:
    """Times of the kernel and of plain PyTorch; GB/s counts each input and the output once."""
    kernel, reference = task.start("cuda"), task.start("ref")
    moved = sum(t.nbytes for t in task.read) + kernel().nbytes
    ms, ref_ms = captured_milliseconds(kernel), milliseconds(reference, REPEATS)
    gb_s = moved / ms / 1e6
    row = {"operator": task.operator, "dtype": f"{task.read[0].dtype}"[6:], "layout": layout}
    row |= {"ms": ms, "ref_ms": ref_ms, "gb_s": gb_s, "share": gb_s / copy_gb_s}
    print(ROW.format(**row), flush=True)
    return row


def captured_milliseconds(run: Callable[[], Tensor]) -> float:
    """Time of a call on the GPU alone: that of a CUDA graph of some calls, divided by them."""
    run()  # what happens once, happens here
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(CALLS):
            run()
    return milliseconds(graph.replay, REPLAYS) / CALLS


def milliseconds(run: Callable[[], object], repeats: int) -> float:
    """Median time of a call, the host's part included where the GPU waits for it."""
    times = []
    for _ in range(repeats + 1):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        run()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end))
    return median(times[1:])  # the first one warms up


def write(path: Path, report: Report) -> None:
    """Write the report beside its name and rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(report, indent=2) + "\n")
    draft.rename(path)
    print(f"wrote {path}")


if __name__ == "__main__":
    sys.exit(main())
