"""Training speed: the loop of `ferbench classify` against a plain one, with the same network.

    python scripts/bench_classify.py [--model cnn] [--data outputs/data/fer2013] [--batch 128]
                                     [--seconds 20] [--repeats 5] [--json FILE]

ferbench: `training.fit` with conf/train/default.yaml and precision=auto. plain: as such loops are
usually written, torchvision's ImageFolder on PNG files, the same augmentation by PIL transforms, a
DataLoader with a worker for every core, float32. The loops take turns, each time in a process of
its own. Reported are images per second inside the epochs, median and range, and the peak memory of
a loop: the resident set of its process and what its workers hold for themselves.

Without --data the toy faces of outputs/data/toy are used, or rendered.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import Any

import numpy as np
import psutil
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from ferbench import runs
from ferbench.classes import CLASSES
from ferbench.classifiers import batches, training
from ferbench.classifiers.training import Hooks, Settings, Stopped
from ferbench.config.commands import Classify
from ferbench.config.store import register
from ferbench.config.yaml_files import CONF
from ferbench.data import face_set
from ferbench.data.toy import faces as toy_faces
from ferbench.models import NetworkOptions, build
from ferbench.recipes.classifier import Augment
from ferbench.runs import precision

LOOPS = ("ferbench", "plain")
SKIPPED_STEPS = 4  # at the start of an epoch: workers start, memory is taken, kernels are chosen


class Meter:
    """Images and seconds of the steps of an epoch after its first ones; the workers' memory."""

    def __init__(self, *, steps: int, batch: int, seconds: float, device: torch.device) -> None:
        assert steps > SKIPPED_STEPS + 1, "too few images for an epoch of this batch"
        self.steps, self.batch, self.wanted_seconds, self.device = steps, batch, seconds, device
        self.step, self.images, self.seconds, self.began = 0, 0, 0.0, 0.0
        self.workers_bytes = 0

    def done(self) -> bool:
        """To be called after every training step; True when enough was measured."""
        step, self.step = self.step % self.steps, self.step + 1
        if step < SKIPPED_STEPS:
            return False
        if step == SKIPPED_STEPS:
            self.began = self._now()
            return False
        self.images += self.batch
        enough = self.seconds + time.perf_counter() - self.began >= self.wanted_seconds
        if enough or step == self.steps - 1:
            self.seconds += self._now() - self.began
        if enough:  # while the workers are still alive
            children = psutil.Process().children(recursive=True)
            self.workers_bytes = sum(child.memory_full_info().uss for child in children)
        return enough

    def _now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()


# --- the two loops, each in a process of its own -------------------------------------------------


def train_ferbench(
    folder: Path, model: nn.Module, job: Classify, meter: Meter, device: torch.device
) -> None:
    """Train as `ferbench classify` does until the meter has enough."""
    images, labels = np.load(folder / "images.npy"), np.load(folder / "labels.npy")
    train = batches.to_device(images, labels, device)
    held_out = batches.to_device(images[: job.train.batch], labels[: job.train.batch], device)
    try:
        training.fit(
            model,
            train,
            held_out,
            Settings(job.train, seed=0, precision=precision.choose("auto", device)),
            state=folder / f"state_{os.getpid()}.pt",
            hooks=Hooks(on_epoch=lambda history: None, should_stop=meter.done),
        )
    except Stopped:
        return
    raise AssertionError("the epochs ended before the measurement")


def train_plain(
    folder: Path, model: nn.Module, job: Classify, meter: Meter, device: torch.device
) -> None:
    """Train from PNG files until the meter has enough."""
    data = datasets.ImageFolder(str(folder / "png"), pil_transforms(job.train.augment))
    loader = DataLoader(
        data,
        job.train.batch,
        shuffle=True,
        drop_last=True,
        num_workers=os.cpu_count() or 1,
        pin_memory=device.type == "cuda",
    )
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=job.train.peak_lr, weight_decay=job.train.weight_decay
    )
    criterion = nn.CrossEntropyLoss(label_smoothing=job.train.label_smoothing)
    model.train()
    while True:
        loss_sum, hits = 0.0, 0
        for images, labels in loader:
            images, labels = images.to(device), labels.to(device)
            optimizer.zero_grad()
            logits = model(images)
            loss = criterion(logits, labels)
            loss.backward()
            optimizer.step()
            loss_sum += loss.item()
            hits += int((logits.argmax(1) == labels).sum().item())
            if meter.done():
                return


def pil_transforms(how: Augment) -> Callable[[Image.Image], torch.Tensor]:
    """The augmentation of the recipe as torchvision's transforms of PIL images."""
    found: Callable[[Image.Image], torch.Tensor] = transforms.Compose(
        [
            transforms.Grayscale(),
            transforms.RandomAffine(
                how.rotate_degrees,
                translate=(how.shift, how.shift),
                scale=(1 - how.zoom, 1 + how.zoom),
                shear=how.shear_degrees or None,
            ),
            transforms.RandomHorizontalFlip(how.flip),
            transforms.ColorJitter(brightness=how.brightness, contrast=how.contrast),
            transforms.ToTensor(),
            transforms.Normalize((0.5,), (0.5,)),
            transforms.RandomErasing(how.erase),
        ]
    )
    return found


def measure(options: argparse.Namespace) -> dict[str, float]:
    """Run one loop in this process: images per second and peak memory in MB."""
    job = composed(options.model, options.batch)
    device = runs.resolve_device(options.device)
    runs.seed_everything(0)
    model = build(NetworkOptions(**asdict(job.model)), classes=len(CLASSES)).to(device)
    images = len(np.load(options.folder / "labels.npy"))
    steps = batches.steps_per_epoch(images, options.batch)
    meter = Meter(steps=steps, batch=options.batch, seconds=options.seconds, device=device)
    train = train_ferbench if options.loop == "ferbench" else train_plain
    train(options.folder, model, job, meter, device)
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
    peak = getrusage(RUSAGE_SELF).ru_maxrss * unit + meter.workers_bytes
    return {"images_per_second": meter.images / meter.seconds, "peak_mb": peak / 1e6}


def composed(model: str, batch: int) -> Classify:
    """The config of `ferbench classify model=...`, with epochs enough for any measurement."""
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("classify", [f"model={model}", f"train.batch={batch}", "train.epochs=100000"])
    job: Classify = OmegaConf.to_object(cfg)  # type: ignore[assignment]
    return job


# --- the comparison ------------------------------------------------------------------------------


def write_faces(data: Path | None, count: int, folder: Path) -> str:
    """Write `count` training faces as arrays and as PNG files; returns where they come from."""
    toy = Path("outputs/data/toy")
    source = data or (toy if toy.exists() else None)
    if source is None:
        faces, name = toy_faces.sample_faces(count, 0, workers=os.cpu_count() or 1), "toy faces"
    else:
        found = face_set.read(source)
        chosen = np.random.default_rng(0).permutation(len(found.splits["train"]))[:count]
        faces, name = found.splits["train"].take(chosen), str(found.manifest["name"])
    np.save(folder / "images.npy", faces.images)
    np.save(folder / "labels.npy", faces.labels)
    for label in CLASSES:
        (folder / "png" / label).mkdir(parents=True)
    for i, (image, label) in enumerate(zip(faces.images, faces.labels, strict=True)):
        Image.fromarray(image).save(folder / "png" / CLASSES[label] / f"{i:06d}.png")
    return f"{len(faces):,} images of {name}"


def in_own_process(loop: str, folder: Path, options: argparse.Namespace) -> dict[str, float]:
    """`measure` in a fresh interpreter."""
    command = [
        sys.executable,
        __file__,
        "--loop",
        loop,
        "--folder",
        str(folder),
        "--model",
        options.model,
        "--batch",
        str(options.batch),
        "--seconds",
        str(options.seconds),
        "--device",
        options.device,
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def compare(options: argparse.Namespace) -> dict[str, Any]:
    """Measure both loops in turns and print what was found."""
    device = runs.resolve_device(options.device)
    found: dict[str, list[dict[str, float]]] = {loop: [] for loop in LOOPS}
    with tempfile.TemporaryDirectory() as folder:
        source = write_faces(options.data, options.images, Path(folder))
        print(f"{options.model}, batch {options.batch}, {source}, {runs.hardware(device)}")
        for repeat in range(options.repeats):
            for loop in LOOPS if repeat % 2 == 0 else LOOPS[::-1]:
                one = in_own_process(loop, Path(folder), options)
                found[loop].append(one)
                print(f"  {loop:8} {one['images_per_second']:8.1f} images/s", flush=True)
    return {
        "model": options.model,
        "batch": options.batch,
        "data": source,
        "hardware": runs.hardware(device),
        "torch": torch.__version__,
        "loops": found,
    }


def report(found: dict[str, Any]) -> None:
    """Print medians, ranges and the ratio of the medians."""
    medians = {}
    for loop, measured in found["loops"].items():
        speeds = [one["images_per_second"] for one in measured]
        peak = statistics.median(one["peak_mb"] for one in measured)
        medians[loop] = statistics.median(speeds)
        print(
            f"{loop:8} {medians[loop]:8.1f} images/s ({min(speeds):.1f} to {max(speeds):.1f}, "
            f"n={len(speeds)}), peak {peak:,.0f} MB"
        )
    print(f"ratio of the medians: {medians['ferbench'] / medians['plain']:.2f}")


def main() -> None:
    """Compare, or with --loop be one of the measured processes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="cnn", help="a file of conf/model/")
    parser.add_argument("--data", type=Path, help="folder of a prepared set")
    parser.add_argument("--images", type=int, default=8192, help="at most so many of its faces")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--seconds", type=float, default=20, help="measured a repeat and loop")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path, help="write all measurements there")
    parser.add_argument("--loop", choices=LOOPS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.loop:
        print(json.dumps(measure(options)))
        return
    found = compare(options)
    report(found)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
