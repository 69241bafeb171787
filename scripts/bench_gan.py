"""Speed of GAN training, phase by phase, and of sampling.

    python scripts/bench_gan.py [--gan fer32 fer48] [--set gan.batch=64 ...] [--precision auto]
                                [--augment none] [--impl auto] [--[no-]compile] [--graphs auto]
                                [--seconds 10] [--repeats 5] [--device auto] [--json FILE]

For each preset of conf/gan/: images per second of training, with the lazy phases as often as the
preset says; seconds a step of each phase by itself; images per second of sampling; peak memory.
Medians and ranges of the repeats. The settings at which the published code was timed (32 px,
channel base 4096, at most 128, batch 32, two mapping layers, all four phases, no augmentation)
are `--gan fer32 --augment none`, the default. Images are noise: speed does not depend on them.

Several processes share each batch with `torchrun --nproc-per-node=2` in place of `python`, and
OMP_NUM_THREADS at the cores that each may use.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import Any

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from torch import Tensor

import stylegan2_ada as sg
from ferbench import runs
from ferbench.config.store import register
from ferbench.config.yaml_files import CONF
from ferbench.gan import setup
from ferbench.gan.faces import prepare
from ferbench.gan.setup import Setting, Shards
from ferbench.recipes.gan import GanRecipe
from ferbench.runs import precision, processes
from stylegan2_ada.ops import set_impl

FACES = 2048
SAMPLES = 256  # images of a batch when sampling
WARM_UP = 3  # calls: from the third on a phase is a CUDA graph
AUGMENT_P = 0.5  # where the pipeline runs: half of what may be is augmented


def recipe_of(gan: str, settings: list[str], *, augment: str) -> GanRecipe:
    """The preset as `ferbench train-gan` composes it, but with this pipe at AUGMENT_P, or none."""
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train_gan", [f"gan={gan}", *settings])
    job: Any = OmegaConf.to_object(cfg)
    pipe = (
        {"augment": "none"}
        if augment == "none"
        else {"augment": "fixed", "pipe": augment, "augment_p": AUGMENT_P}
    )
    return replace(job.gan, res=job.res or job.gan.res, **pipe)


def trainer_of(recipe: GanRecipe, number_format: str, device: torch.device) -> sg.Trainer:
    """Networks and loop on noise."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (FACES, 48, 48), dtype=np.uint8)
    labels = np.arange(FACES) % 7
    faces = prepare(images, labels, res=recipe.res, channels=1, conditional=recipe.conditional)
    shards = max(recipe.shards, processes.count())
    return setup.trainer(
        recipe,
        faces,
        Setting(0, number_format, device),
        Shards(shards, processes.own_part(shards)),
        start=None,
    )


class Clock:
    """Seconds of calls, the device waited for."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def per_call(self, call: Callable[[], object], seconds: float) -> float:
        """Mean seconds of a call, repeated for about `seconds` after some calls to warm up.

        All processes call equally often: they wait for each other inside.
        """
        for _ in range(WARM_UP):
            call()
        began = self._now()
        call()
        once = self._now() - began
        calls = processes.from_first(lambda: max(1, round(seconds / once)))
        began = self._now()
        for i in range(calls):
            call()
            if i % 16 == 15:
                self._now()  # so that a GPU's queue does not run ahead
        return (self._now() - began) / calls

    def _now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()


def real_batch(trainer: sg.Trainer, device: torch.device) -> tuple[Tensor, Tensor]:
    """What a step is given: noise [N, 1, H, W] uint8 and classes [N, 7] of this process."""
    own, res = trainer.options.batch // processes.count(), trainer.generator.config.img_resolution
    images = torch.randint(0, 256, (own, 1, res, res), dtype=torch.uint8).to(device)
    return images, torch.eye(7)[torch.arange(own) % 7].to(device)


def cycle_steps(trainer: sg.Trainer) -> int:
    """Steps until the rarest phase comes again."""
    return max(trainer.options.path_interval, trainer.options.r1_interval, 1)


def run_cycle(trainer: sg.Trainer, images: Tensor, conditions: Tensor) -> None:
    """All phases as often as the preset says."""
    trainer.steps = 0
    for _ in range(cycle_steps(trainer)):
        trainer.step(images, conditions)


def measure(trainer: sg.Trainer, seconds: float, device: torch.device) -> dict[str, float]:
    """Seconds of each phase, images per second of training and of sampling."""
    clock, options = Clock(device), trainer.options
    images, conditions = real_batch(trainer, device)
    trainer.take(images, conditions)
    phases = ["G main", "D main"]
    phases += ["G path length"] * (options.path_interval > 0) + ["D R1"] * (options.r1_interval > 0)
    found = {
        f"{name} s": clock.per_call(partial(trainer.run_phase, name), seconds / 4)
        for name in phases
    }
    shown = cycle_steps(trainer) * options.batch
    cycle = partial(run_cycle, trainer, images, conditions)
    found["training img/s"] = shown / clock.per_call(cycle, seconds)
    wanted = torch.eye(7)[torch.arange(SAMPLES) % 7].to(device)
    draw = clock.per_call(
        lambda: sg.sample(trainer.ema, range(SAMPLES), wanted, dtype=options.dtype), seconds / 4
    )
    found["sampling img/s"] = SAMPLES * processes.count() / draw
    return found


def peak_mb(device: torch.device) -> float:
    """Peak memory of this process so far: of the GPU, or resident."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
    return getrusage(RUSAGE_SELF).ru_maxrss * unit / 1e6


def say(text: str) -> None:
    """Print it, in one process."""
    if processes.is_first():
        print(text, flush=True)


def bench(gan: str, options: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    """All repeats of one preset; printed as they come."""
    settings = [*options.set, f"gan.graphs={options.graphs}"]
    if options.compile is not None:
        settings.append(f"gan.compile={str(options.compile).lower()}")
    recipe = recipe_of(gan, settings, augment=options.augment)
    chosen = precision.choose(options.precision, device).name
    trainer = trainer_of(recipe, chosen, device)
    say(f"{gan}: {recipe.res} px, batch {recipe.batch}, augmentation {options.augment}, {chosen}")
    repeats = [measure(trainer, options.seconds, device) for _ in range(options.repeats)]
    for name in repeats[0]:
        values = [one[name] for one in repeats]
        digits = 1 if name.endswith("img/s") else 4
        say(
            f"  {name:<16} {statistics.median(values):10.{digits}f}"
            f"  ({min(values):.{digits}f} to {max(values):.{digits}f}, n={len(values)})"
        )
    peak = peak_mb(device)
    say(f"  {'peak memory':<16} {peak:10.0f} MB")
    return {
        "gan": gan,
        "res": recipe.res,
        "batch": recipe.batch,
        "precision": chosen,
        "augment": options.augment,
        "impl": options.impl,
        "compile": recipe.compile,
        "settings": settings,
        "peak_mb": peak,
        "repeats": repeats,
        "hardware": runs.hardware(device),
        "torch": torch.__version__,
        "processes": processes.count(),
        "threads": torch.get_num_threads(),
    }


def main() -> None:
    """Measure the presets one after the other."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gan", nargs="+", default=["fer32", "fer48"], help="files of conf/gan/")
    parser.add_argument("--set", nargs="*", default=[], help="further keys, as on the command line")
    parser.add_argument("--precision", default="auto", help="auto, fp32, bf16 or fp16")
    parser.add_argument("--augment", default="none", help="none, or a pipe such as bgc, at p = 0.5")
    parser.add_argument("--impl", default="auto", help="operators: auto, cuda or ref")
    parser.add_argument(
        "--compile",
        action=argparse.BooleanOptionalAction,
        help="torch.compile both networks, or not; as the preset says",
    )
    parser.add_argument("--graphs", default="auto", help="auto, true or false: CUDA graphs")
    parser.add_argument("--seconds", type=float, default=10, help="of training, a repeat")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path, help="write all measurements there")
    options = parser.parse_args()
    device = processes.own_device(runs.resolve_device(options.device))
    set_impl(options.impl)
    runs.keep_freed_memory()
    say(
        f"{runs.hardware(device)}, torch {torch.__version__}, operators {options.impl}, "
        f"processes: {processes.count()}"
    )
    half = options.precision != "fp32"
    with processes.group(device), runs.fastest_kernels(device, tf32=half):
        found = [bench(gan, options, device) for gan in options.gan]
    if options.json and processes.is_first():
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
