"""Start-up, and two runs at once: seconds until something happens, seconds of a sweep.

    python scripts/bench_start.py [--repeats 5] [--data toy] [--width 8] [--epochs 2] [--json FILE]

help: `ferbench --help` and `ferbench classify --help`. first step: from starting `ferbench
classify` to the end of the first training step, imports, configs and data included. sweep: a sweep
over two seeds of a narrow cnn, one run after the other with all cores (launcher=local) and both at
once with half of them each (launcher=joblib). Medians and ranges.
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
from pathlib import Path

import torch

from ferbench import runs

FERBENCH = (sys.executable, "-m", "ferbench")
UNTIL_FIRST_STEP = """
import os, sys, time
from torch.optim.optimizer import register_optimizer_step_post_hook

def stop(*_):
    print(time.time() - float(os.environ["BEGAN"]), flush=True)
    os._exit(0)

register_optimizer_step_post_hook(stop)
from ferbench.cli import main
main()
"""


def seconds_of(*words: str) -> float:
    """Wall time of a ferbench command that ends well."""
    began = time.perf_counter()
    subprocess.run([*FERBENCH, *words], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def until_first_step(*words: str) -> float:
    """Seconds from the start of the process to the end of its first training step."""
    environment = os.environ | {"BEGAN": str(time.time())}
    done = subprocess.run(
        [sys.executable, "-c", UNTIL_FIRST_STEP, *words],
        env=environment,
        text=True,
        check=True,
        stdout=subprocess.PIPE,
    )
    return float(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure all of it and print medians and ranges."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--data", default="toy", help="toy | real, prepared in outputs/data")
    parser.add_argument("--width", type=int, default=8, help="of the cnn in the sweep")
    parser.add_argument("--epochs", type=int, default=2, help="of a run in the sweep")
    parser.add_argument("--json", type=Path, help="write all measurements there")
    options = parser.parse_args()
    print(f"{runs.hardware(torch.device('cpu'))}, torch {torch.__version__}")
    folder = Path("outputs/data") / {"real": "fer2013"}.get(options.data, options.data)
    data = (f"data={options.data}", f"data.folder={folder.resolve()}", "logger=none")
    sweep = (
        "classify",
        "-m",
        *data,
        "seed=0,1",
        "model=cnn",
        f"model.width={options.width}",
        "train=quick",
        f"train.epochs={options.epochs}",
    )
    found: dict[str, list[float]] = {}
    for _ in range(options.repeats):
        with tempfile.TemporaryDirectory() as outputs:
            place = f"outputs={outputs}"
            at_once = ("launcher=joblib", "hydra.launcher.n_jobs=2")
            for what, seconds in {
                "help": seconds_of("--help"),
                "help of classify": seconds_of("classify", "--help"),
                "first step": until_first_step("classify", "model=cnn", *data, place),
                "sweep, one after the other": seconds_of(*sweep, place),
                "sweep, both at once": seconds_of(*sweep, f"{place}/at_once", *at_once),
            }.items():
                found.setdefault(what, []).append(seconds)
    for what, values in found.items():
        print(
            f"{what:28}{statistics.median(values):8.2f} s  "
            f"({min(values):.2f} to {max(values):.2f}, n={len(values)})"
        )
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
