"""Where the time of GAN training goes, and how near it comes to the machine's peak.

    python scripts/profile_gan.py [--gan fer32] [--set gan.batch=64 ...] [--precision auto]
                                  [--augment none] [--[no-]compile] [--top 15] [--device auto]

A cycle of steps with all phases, on noise, as in bench_gan.py: floating point operations an image
(of products and convolutions alone), how many a second, and how many a large product reaches in the
same number format; then the operators that took longest, with their share of the time.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from bench_gan import Clock, cycle_steps, real_batch, recipe_of, run_cycle, trainer_of
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from ferbench import runs
from ferbench.runs import precision

PRODUCT = 4096  # rows and columns of the large product


class FlopCounter(TorchDispatchMode):
    """Adds up the floating point operations of products and convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        found = func(*args, **(kwargs or {}))
        count = flop_registry.get(func._overloadpacket)
        if count is not None:
            self.flops += count(*args, **(kwargs or {}), out_val=found)
        return found


def product_gflops(dtype: torch.dtype, device: torch.device) -> float:
    """GFLOP/s of a large product."""
    a, b = (torch.randn(PRODUCT, PRODUCT).to(device, dtype) for _ in "ab")
    return 2 * PRODUCT**3 / Clock(device).per_call(lambda: a @ b, 3) / 1e9


def operators(call: Callable[[], object], top: int, device: torch.device) -> list[str]:
    """Lines of the operators that took longest."""
    gpu = device.type == "cuda"
    activities = [ProfilerActivity.CUDA if gpu else ProfilerActivity.CPU]
    with profile(activities=activities) as found:
        call()
    spent = {
        one.key: (one.self_device_time_total if gpu else one.self_cpu_time_total, one.count)
        for one in found.key_averages()
    }
    whole = sum(seconds for seconds, _ in spent.values())
    ranked = sorted(spent.items(), key=lambda item: -item[1][0])[:top]
    return [f"{seconds / whole:7.1%} {count:7,}  {key[:80]}" for key, (seconds, count) in ranked]


def main() -> None:
    """Profile one preset."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gan", default="fer32", help="a file of conf/gan/")
    parser.add_argument("--set", nargs="*", default=[], help="further keys, as on the command line")
    parser.add_argument("--precision", default="auto", help="auto, fp32, bf16 or fp16")
    parser.add_argument("--augment", default="none", help="none, or a pipe such as bgc, at p = 0.5")
    parser.add_argument("--top", type=int, default=15, help="operators that are listed")
    parser.add_argument(
        "--compile",
        action=argparse.BooleanOptionalAction,
        help="torch.compile both networks, or not; as the preset says",
    )
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    device = runs.resolve_device(options.device)
    runs.keep_freed_memory()
    with runs.fastest_kernels(device, tf32=options.precision != "fp32"):
        report(options, device)


def report(options: argparse.Namespace, device: torch.device) -> None:
    """Measure and print."""
    settings = list(options.set)
    if options.compile is not None:
        settings.append(f"gan.compile={str(options.compile).lower()}")
    recipe = recipe_of(options.gan, settings, augment=options.augment)
    chosen = precision.choose(options.precision, device)
    trainer = trainer_of(recipe, chosen.name, device)
    batch = real_batch(trainer, device)
    cycle = partial(run_cycle, trainer, *batch)
    with FlopCounter() as counter:  # it sees no operator of a graph
        plain = replace(recipe, graphs="false", compile=False)
        run_cycle(trainer_of(plain, chosen.name, device), *batch)
    images = cycle_steps(trainer) * trainer.options.batch
    each = counter.flops / images / 1e9
    rate = images / Clock(device).per_call(cycle, 10)
    peak = product_gflops(trainer.options.dtype, device)
    print(f"{options.gan}, {chosen.name}, {runs.hardware(device)}, torch {torch.__version__}")
    print(
        f"{rate:.1f} images/s, {each:.2f} GFLOP an image: {rate * each:.0f} GFLOP/s, "
        f"{rate * each / peak:.0%} of a large product's {peak:.0f}"
    )
    print("  share   calls  operator")
    print("\n".join(operators(cycle, options.top, device)))


if __name__ == "__main__":
    main()
