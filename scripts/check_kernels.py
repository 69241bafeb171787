"""Build the CUDA kernels, compare them with plain PyTorch and time them.

    python scripts/check_kernels.py outputs/kernels                  # on a machine with a GPU
    python scripts/check_kernels.py outputs/kernels --compile-only   # nvcc is enough

Prints a table and writes kernels.json to the given folder: the environment, the build, the
outcome of every test marked `gpu` of the operators (kernel against reference in all dtypes,
gradcheck, gradgradcheck), and for each operator its time, the memory bandwidth it reaches, and the
time of plain PyTorch. Ends with status 1 if the build or a test fails.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple
from xml.etree import ElementTree

import torch
from torch import Tensor

from stylegan2_ada.ops import bias_act, build, conv2d_resample, setup_filter, upfirdn2d

TESTS = Path(__file__).resolve().parents[1] / "tests/stylegan2_ada/ops"
SHAPE = (64, 128, 64, 64)  # 67 MB in half precision: more than the caches hold
DTYPES = (torch.float16, torch.bfloat16, torch.float32)
LAYOUTS = {"nchw": torch.contiguous_format, "nhwc": torch.channels_last}
REPEATS = 20
HEAD = f"{'operator':26}{'dtype':10}{'layout':8}{'ms':>8}{'GB/s':>8}{'of copy':>9}{'ref ms':>8}"
ROW = "{operator:26}{dtype:10}{layout:8}{ms:8.3f}{gb_s:8.0f}{share:9.0%}{ref_ms:8.3f}"
Report = dict[str, Any]  # what goes into the JSON file


def main() -> int:
    """Run all checks; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where kernels.json goes")
    parser.add_argument("--compile-only", action="store_true", help="build, but run nothing")
    options = parser.parse_args()
    if options.compile_only:
        os.environ.setdefault("TORCH_CUDA_ARCH_LIST", "8.0;9.0")
    elif not torch.cuda.is_available():
        parser.error("there is no CUDA device; --compile-only does without one")

    report: Report = {"environment": environment(), "build": built()}
    print(json.dumps(report, indent=2))
    failed = "error" in report["build"]
    if not failed and not options.compile_only:
        report["tests"] = tested(options.folder)
        failed = report["tests"]["failed"] > 0 or report["tests"]["passed"] == 0
        report["timings"] = timed()
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
    subprocess.run([*command, f"--junitxml={results}"], check=False)
    cases = list(ElementTree.parse(results).iter("testcase"))
    bad = [case.get("name", "") for case in cases if {"failure", "error"} & {e.tag for e in case}]
    skipped = sum(case.find("skipped") is not None for case in cases)
    passed = len(cases) - len(bad) - skipped
    return {"passed": passed, "failed": len(bad), "skipped": skipped, "failures": bad}


def timed() -> list[Report]:
    """One row an operator, dtype and layout, printed as it comes."""
    source = torch.empty(SHAPE, device="cuda")
    copy_gb_s = 2 * source.nbytes / milliseconds(source.clone) / 1e6
    print(f"copying reaches {copy_gb_s:.0f} GB/s")
    print(HEAD)
    rows = []
    for dtype in DTYPES:
        for layout, memory_format in LAYOUTS.items():
            x = torch.randn(SHAPE, device="cuda").to(dtype, memory_format=memory_format)
            for task in tasks(x):
                row = {"dtype": f"{dtype}"[6:], "layout": layout} | measured(task, copy_gb_s)
                print(ROW.format(**row))
                rows.append(row)
    return rows


Start = Callable[[str], Callable[[], Tensor]]


class Task(NamedTuple):
    """An operator to time: `start(impl)` gives the function, whose inputs are `read`."""

    operator: str
    start: Start
    read: list[Tensor]


def tasks(x: Tensor) -> list[Task]:
    """What a training step spends its time on."""
    f, sym6 = setup_filter([1, 3, 3, 1]).cuda(), setup_filter(range(1, 13)).cuda()
    b, w = torch.randn(x.shape[1]).to(x), torch.randn(x.shape[1], x.shape[1], 3, 3).to(x)
    fir = partial(upfirdn2d, x)
    conv = partial(conv2d_resample, x, w, f, padding=1)

    def lrelu_gradient(impl: str) -> Callable[[], Tensor]:
        given = x.detach().requires_grad_()
        y = bias_act(given, b, act="lrelu", clamp=256, impl=impl)
        return lambda: torch.autograd.grad(y, given, x, retain_graph=True)[0]

    def forward(operator: Callable[..., Tensor], *args: Tensor, **settings: Any) -> Start:
        return lambda impl: partial(operator, *args, **settings, impl=impl)

    return [
        Task("bias_act lrelu", forward(bias_act, x, b, act="lrelu", clamp=256), [x]),
        Task("bias_act lrelu, gradient", lrelu_gradient, [x, x]),
        Task("bias_act swish", forward(bias_act, x, b, act="swish"), [x]),
        Task("4 x 4", forward(fir, f, padding=[2, 1, 2, 1]), [x]),
        Task("4 x 4 up 2", forward(fir, f, up=2, padding=[2, 1, 2, 1]), [x]),
        Task("4 x 4 down 2", forward(fir, f, down=2, padding=1), [x]),
        Task("4 x 3, any geometry", forward(fir, f[:, :3], padding=1), [x]),
        Task("12 + 12 up 2", forward(fir, sym6, up=2, padding=[6, 5, 6, 5]), [x]),
        Task("12 + 12 down 2", forward(fir, sym6, down=2, padding=5), [x]),
        Task("convolution 3 x 3 up 2", forward(conv, up=2), [x, w]),
        Task("convolution 3 x 3 down 2", forward(conv, down=2), [x, w]),
    ]


def measured(task: Task, copy_gb_s: float) -> Report:
    """Times of the kernel and of plain PyTorch; GB/s counts each input and the output once."""
    kernel = task.start("cuda")
    moved = sum(t.nbytes for t in task.read) + kernel().nbytes
    ms, ref_ms = milliseconds(kernel), milliseconds(task.start("ref"))
    gb_s = moved / ms / 1e6
    shares = {"gb_s": gb_s, "share": gb_s / copy_gb_s}
    return {"operator": task.operator, "ms": ms, "ref_ms": ref_ms, **shares}


def milliseconds(run: Callable[[], Tensor]) -> float:
    """Median time of a call on the GPU."""
    times = []
    for _ in range(REPEATS + 3):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        run()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end))
    return median(times[3:])  # the first ones warm up


def write(path: Path, report: Report) -> None:
    """Write the report beside its name and rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(report, indent=2) + "\n")
    draft.rename(path)
    print(f"wrote {path}")


if __name__ == "__main__":
    sys.exit(main())
