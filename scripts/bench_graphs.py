"""Training steps of every classifier, step by step and as one CUDA graph: images per second.

    python scripts/bench_graphs.py [--models cnn vgg ...] [--batch 128] [--seconds 1]
                                   [--train default] [--device auto] [--json FILE]

The step of `ferbench classify train=...` alone, without scoring and saving: all models in one
process, each built anew for each way, so that the eleven take about a minute on a GPU. Timed are
`--seconds` of steps after those that choose kernels and are captured. Images are noise. Off CUDA
there are eager steps only.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from ferbench import runs
from ferbench.classes import CLASSES, IMAGE_PX
from ferbench.classifiers import batches
from ferbench.classifiers.captured import EAGER_CALLS
from ferbench.classifiers.learner import Learner
from ferbench.classifiers.stepping import build_step
from ferbench.config import yaml_files
from ferbench.config.commands import Classify
from ferbench.config.store import register
from ferbench.config.yaml_files import CONF
from ferbench.models import NetworkOptions, build
from ferbench.runs import precision

FIRST_STEPS = EAGER_CALLS + 5
BATCHES = 16  # of noise, shown again and again


def composed(model: str, train: str, batch: int) -> Classify:
    """The config of `ferbench classify model=... train=...`."""
    words = [f"model={model}", f"train={train}", f"train.batch={batch}"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        job: Classify = OmegaConf.to_object(compose("classify", words))  # type: ignore[assignment]
    return job


def stepper(job: Classify, device: torch.device, graphs: str) -> Callable[[int], None]:
    """A function that trains on batch number n of an epoch of noise."""
    runs.seed_everything(0)
    recipe = replace(job.train, graphs=graphs)
    network = build(NetworkOptions(**asdict(job.model)), classes=len(CLASSES)).to(device)
    shape = (BATCHES * recipe.batch, IMAGE_PX, IMAGE_PX)
    noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    faces = batches.to_device(noise, np.arange(len(noise)) % len(CLASSES), device)
    learner = Learner(network, faces.labels, recipe, precision.choose(job.precision, device))
    step = build_step(learner, faces, recipe)
    drawn = batches.draw_epoch(faces, recipe, seed=0, epoch=0)

    def train(number: int) -> None:
        learner.begin_step(lr=recipe.peak_lr / 100, group=1, update=True)
        step(*drawn.part(number % BATCHES), update=True)

    return train


def measure(job: Classify, device: torch.device, graphs: str, seconds: float) -> dict[str, float]:
    """Images per second, ms a step, seconds until all was ready, and GiB of GPU memory."""

    def timed(steps: int) -> float:
        began = time.perf_counter()
        for number in range(steps):
            train(number)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - began

    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    train = stepper(job, device, graphs)
    ready = timed(FIRST_STEPS)
    few = 5 if device.type == "cuda" else 1
    steps = max(round(seconds / (timed(few) / few)), few)
    spent = timed(steps)
    memory = torch.cuda.max_memory_reserved(device) / 2**30 if device.type == "cuda" else 0.0
    speed = steps * job.train.batch / spent
    return {
        "images_per_second": speed,
        "step_ms": 1000 * spent / steps,
        "ready_seconds": ready,
        "reserved_gib": memory,
    }


def line(model: str, ways: dict[str, dict[str, float]]) -> str:
    """What was measured of one model."""
    texts = [
        f"{name} {ways[graphs]['images_per_second']:,.0f} images/s "
        f"({ways[graphs]['step_ms']:.2f} ms a step, {ways[graphs]['reserved_gib']:.1f} GiB, "
        f"ready after {ways[graphs]['ready_seconds']:.1f} s)"
        for graphs, name in (("false", "eager"), ("true", "captured"))
        if graphs in ways
    ]
    return f"{model:20} {', '.join(texts)}"


def main() -> None:
    """Measure the models one after the other and print a line for each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=yaml_files.options_of("model"))
    parser.add_argument("--train", default="default", help="a file of conf/train/")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--seconds", type=float, default=1, help="measured each way")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path, help="write all measurements there")
    options = parser.parse_args()
    register()
    device = runs.resolve_device(options.device)
    ways = ["false", "true"] if device.type == "cuda" else ["false"]
    print(f"{runs.hardware(device)}, torch {torch.__version__}, batch {options.batch}")
    results: dict[str, dict[str, dict[str, float]]] = {}
    for model in options.models:
        job = composed(model, options.train, options.batch)
        one = results[model] = {}
        for graphs in ways:
            try:
                one[graphs] = measure(job, device, graphs, options.seconds)
            except RuntimeError as error:
                print(f"{model}: train.graphs={graphs} failed: {error}", flush=True)
        print(line(model, one), flush=True)
        if options.json:
            options.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
