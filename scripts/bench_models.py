"""Throughput of every classifier: training, evaluation, ten-crop evaluation.

    python scripts/bench_models.py [--models cnn vgg ...] [--stem small|standard] [--seconds 10]
                                   [--repeats 3] [--batch 128] [--device auto] [--json FILE]

Images per second of the loop of `ferbench classify` (conf/train/default.yaml) and of its
evaluation; of ten-crop evaluation, the ten views of an image are counted one by one. Medians and
ranges; each repeat in a process of its own. Images are noise: speed does not depend on them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from bench_classify import Meter, composed, train_ferbench

from ferbench import runs
from ferbench.classes import CLASSES, IMAGE_PX
from ferbench.classifiers import batches
from ferbench.classifiers.prediction import predict
from ferbench.config import yaml_files
from ferbench.models import NetworkOptions, build
from ferbench.runs import precision

VIEWS = {"none": 1, "ten_crop": 10}


def measure(model: str, options: argparse.Namespace) -> dict[str, float]:
    """Images per second of training and of both kinds of evaluation, in this process."""
    job = composed(model, options.batch)
    device = runs.resolve_device(options.device)
    chosen = precision.choose("auto", device)
    runs.seed_everything(0)
    settings = asdict(job.model)
    if options.stem and "stem" in settings:
        settings["stem"] = options.stem
    network = build(NetworkOptions(**settings), classes=len(CLASSES)).to(device)
    steps = 64
    images = np.random.default_rng(0).integers(
        0, 256, (steps * options.batch, IMAGE_PX, IMAGE_PX), dtype=np.uint8
    )
    meter = Meter(steps=steps, batch=options.batch, seconds=options.seconds, device=device)
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "images.npy", images)
        np.save(Path(folder) / "labels.npy", np.arange(len(images)) % len(CLASSES))
        train_ferbench(Path(folder), network, job, meter, device)
    found = {"training": meter.images / meter.seconds}
    network.eval()
    on_device = batches.to_device(images, np.zeros(len(images), np.int64), device).images
    for tta, views in VIEWS.items():
        n, seconds = options.batch, 0.0
        while seconds < options.seconds / 2 and n <= len(on_device):
            began = time.perf_counter()
            predict(network, on_device[:n], batch=options.batch, precision=chosen, tta=tta)
            seconds = time.perf_counter() - began
            found[tta] = n * views / seconds
            n *= 4
    return found


def in_own_process(model: str, options: argparse.Namespace) -> dict[str, float]:
    """`measure` in a fresh interpreter."""
    given = {
        "one": model,
        "batch": options.batch,
        "seconds": options.seconds,
        "device": options.device,
        "stem": options.stem,
    }
    words = [f"--{key}={value}" for key, value in given.items() if value is not None]
    command = [sys.executable, __file__, *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure the models one after the other, or with --one be a measured process."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=yaml_files.options_of("model"))
    parser.add_argument("--stem", choices=("small", "standard"), help="instead of the model's own")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--seconds", type=float, default=10, help="of training, a repeat")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path, help="write all measurements there")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options)))
        return
    device = runs.resolve_device(options.device)
    print(f"{runs.hardware(device)}, torch {torch.__version__}, batch {options.batch}")
    found = {}
    for model in options.models:
        repeats = found[model] = [in_own_process(model, options) for _ in range(options.repeats)]
        texts = []
        for kind in repeats[0]:
            speeds = [one[kind] for one in repeats]
            texts.append(
                f"{kind} {statistics.median(speeds):.0f} ({min(speeds):.0f} to {max(speeds):.0f})"
            )
        print(f"{model:20} {', '.join(texts)}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
