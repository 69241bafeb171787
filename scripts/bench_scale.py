"""Time and memory against the number of synthetic images: drawing, opening, training, fidelity.

    python scripts/bench_scale.py [--images 1000 10000 100000 1000000] [--gan PATH] [--width 4]
                                  [--folder DIR] [--json FILE]

For each number: `ferbench synth`, opening the set, `ferbench classify` for one epoch of a cnn of
this width, and `ferbench fidelity` (no map) against the toy faces, each command in a process of its
own. Reported are seconds, microseconds an image, and the peak resident memory of the process; pages
of memory-mapped files that the system could take back at any time count there, too.

Without --gan a small generator is trained for a moment: what is measured does not depend on what
the images show. Everything is made in --folder, or in a temporary one: 2.3 GB a million images.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from ferbench import runs
from ferbench.data import synthetic_set

FERBENCH = (sys.executable, "-m", "ferbench")


@dataclass(frozen=True)
class Measured:
    """One stage at one number of images."""

    images: int
    stage: str
    seconds: float
    peak_mb: float | None


def call(*words: str) -> tuple[float, float]:
    """Run a command of ferbench; seconds and peak memory in MB. SystemExit if it fails."""
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen([*FERBENCH, *words], stdout=said, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            said.seek(0)
            raise SystemExit(f"ferbench {' '.join(words)}\n{said.read()}")
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
    return time.perf_counter() - began, usage.ru_maxrss * unit / 1e6


def only(folder: Path) -> Path:
    """The one run in a folder of runs."""
    (found,) = [path for path in folder.iterdir() if path.is_dir()]
    return found


def prepare(outputs: Path, gan: str | None) -> tuple[str, str]:
    """Toy faces, a classifier that judges, a generator; paths of the latter two."""
    place = f"outputs={outputs}"
    call("prepare", "source=toy", place)
    quick = ("train=quick", "train.epochs=1", "logger=none", place)
    call("classify", "model=cnn", "model.width=8", "data=toy", *quick)
    if gan is None:
        call(
            "train-gan", "gan=tiny", "data=toy", "total_kimg=1", "judge=none", "logger=none", place
        )
        gan = str(only(outputs / "train-gan"))
    return str(only(outputs / "classify")), gan


def measure(n: int, outputs: Path, judge: str, gan: str, width: int) -> list[Measured]:
    """All stages at n images."""
    place, found = f"outputs={outputs}", []
    name = f"scale{n}"
    drawn = (f"gan={gan}", f"n={n}", f"name={name}", "out_px=48", f"judge={judge}")
    spent = call("synth", *drawn, place)
    found.append(Measured(n, "synth", *spent))
    (root,) = (outputs / "synth").glob(f"{name}_*")
    began = time.perf_counter()
    synthetic_set.read(root)
    found.append(Measured(n, "open", time.perf_counter() - began, None))
    spent = call(
        "classify",
        "model=cnn",
        f"model.width={width}",
        "train=quick",
        "train.epochs=1",
        "logger=none",
        "data=synthetic",
        "data.base=toy",
        f"data.synthetic={root}",
        place,
    )
    found.append(Measured(n, "classify", *spent))
    spent = call("fidelity", f"set={root}", f"judge={judge}", "data=toy", "map=none", place)
    found.append(Measured(n, "fidelity", *spent))
    return found


def main() -> None:
    """Measure the numbers of images one after the other."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", nargs="+", type=int, default=[1000, 10000, 100000, 1000000])
    parser.add_argument("--gan", help="as in ferbench synth")
    parser.add_argument("--width", type=int, default=4, help="of the cnn that is trained")
    parser.add_argument("--folder", type=Path, help="where everything is made, and left")
    parser.add_argument("--json", type=Path, help="write all measurements there")
    options = parser.parse_args()
    print(f"{runs.hardware(torch.device('cpu'))}, torch {torch.__version__}")
    found = []
    with tempfile.TemporaryDirectory() as temporary:
        outputs = options.folder or Path(temporary)
        judge, gan = prepare(outputs, options.gan)
        for n in options.images:
            for one in measure(n, outputs, judge, gan, options.width):
                peak = "" if one.peak_mb is None else f"{one.peak_mb:8.0f} MB"
                print(
                    f"{one.images:>9,} {one.stage:<9}{one.seconds:10.3f} s"
                    f"{1e6 * one.seconds / n:10.0f} us an image {peak}",
                    flush=True,
                )
                found.append(one)
    if options.json:
        text = json.dumps([asdict(one) for one in found], indent=2) + "\n"
        options.json.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
