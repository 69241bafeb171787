"""What surrounds a computation: device, seeds, signals, environment, and a run's own record."""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import platform
import random
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout

from ferbench.errors import UserError
from ferbench.files import remove_partial, save_json, write_whole

RUN_FILE = "run.json"
LOCK_FILE = ".lock"
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h


# --- device, seeds, signals ----------------------------------------------------------------------


def resolve_device(wanted: str) -> torch.device:
    """The device for device=`wanted`; auto takes CUDA, then Apple's MPS, then the CPU.

    Raises UserError if torch does not know the name or has no such device.
    """
    if wanted == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(wanted)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"device={wanted}: {reason}; expected auto, cpu, cuda or cuda:N") from None
    return device


def seed_everything(seed: int) -> None:
    """Seed Python's, numpy's and torch's global generators (initial weights, dropout)."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


class StopSignal:
    """Context in which the first SIGINT or SIGTERM is noted; `received` holds its number.

    A second SIGINT ends the program at once. Outside the main thread, where Python allows no
    handlers, nothing is installed and `received` stays 0.
    """

    def __init__(self) -> None:
        self.received = 0
        self._old: dict[int, Any] = {}

    def __enter__(self) -> StopSignal:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._old[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: FrameType | None) -> None:
        if self.received and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = number


def keep_freed_memory() -> None:
    """Let the C library keep freed memory for the next tensors instead of giving it back.

    Activations of some MB otherwise come as fresh pages that the kernel clears, step after step:
    12 % of the time of training on a CPU. Works with glibc (see mallopt(3)), else does nothing.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, 32 << 20)  # the largest value that glibc takes
        mallopt(M_TRIM_THRESHOLD, 1 << 30)


class Interrupted(KeyboardInterrupt):
    """The run stopped on a signal and its state is saved; the message says how to go on."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_status = 128 + signal_number


# --- hashes and environment ----------------------------------------------------------------------


def hash_of(value: Any) -> str:
    """Hex SHA-256 of a value as canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def now() -> str:
    """The time in UTC, ISO 8601 to the millisecond."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


@lru_cache(maxsize=1)
def code_version() -> str:
    """The package's version, with the commit (and `-dirty`) when it runs from a checkout."""
    version = metadata.version("ferbench")
    root = Path(__file__).resolve().parents[3]
    if not (root / ".git").exists():
        return version
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return version
    return f"{version}+{done.stdout.strip()}"


def hardware(device: torch.device) -> str:
    """Name of the processor that computes, with the number of threads or the GPU's memory."""
    if device.type == "cuda":
        facts = torch.cuda.get_device_properties(device)
        return f"{facts.name} {facts.total_memory / 2**30:.0f} GiB"
    return f"{_cpu_name()}, {torch.get_num_threads()} threads"


def environment(device: torch.device) -> dict[str, Any]:
    """What a result depends on besides config and data: versions, processor, code."""
    names = ("numpy", "torch", "torchvision", "timm", "scikit-learn", "hydra-core", "omegaconf")
    return {
        "code_version": code_version(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": str(device),
        "hardware": hardware(device),
        "packages": {name: metadata.version(name) for name in names},
    }


def _cpu_name() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else platform.machine()


# --- a run's own record --------------------------------------------------------------------------


class Record:
    """A run's folder and its run.json, kept whole at every moment."""

    def __init__(self, folder: Path, facts: Mapping[str, Any]) -> None:
        self.folder = folder
        self.facts = dict(facts)

    def update(self, **facts: Any) -> None:
        """Set keys of run.json and write it."""
        self.facts |= facts
        save_json(self.folder / RUN_FILE, self.facts)


@contextmanager
def recorded(
    folder: Path, command: str, config: str, inputs: Mapping[str, Any]
) -> Iterator[Record]:
    """Run the block as the run of `folder`: its status in run.json follows what happens.

    config: the resolved config as YAML; inputs: what was read, with hashes. The status is
    `running`, then `complete` (set by the block together with its row), `interrupted` or `failed`.
    Raises UserError if another process is at work in this folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK_FILE, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise UserError(f"{folder}: another process is at work on this run") from None
    try:
        remove_partial(folder)
        write_whole(folder / "config.yaml", lambda p: p.write_text(config, "utf-8"))
        record = Record(folder, {"command": command, "pid": os.getpid(), "host": platform.node()})
        record.update(status="running", started=now(), inputs=dict(inputs), error=None, row=None)
        with _status_of_errors(record):
            yield record
    finally:
        lock.release()


@contextmanager
def _status_of_errors(record: Record) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as error:
        record.update(status="interrupted", error=str(error) or "interrupted", finished=now())
        raise
    except BaseException as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        record.update(status="failed", error=text, traceback=traceback.format_exc(), finished=now())
        raise


def status_of(folder: Path) -> dict[str, Any]:
    """The run.json of a folder; {} where there is none yet.

    Raises UserError if the file is damaged.
    """
    path = folder / RUN_FILE
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise UserError(f"{path}: damaged ({error}); delete the folder to run it again") from None
    return facts if isinstance(facts, dict) else {}


def free_folder(folder: Path) -> Path:
    """`folder`, or the first of folder-2, folder-3, ... that does not exist yet."""
    number, candidate = 1, folder
    while candidate.exists():
        number += 1
        candidate = folder.with_name(f"{folder.name}-{number}")
    return candidate


def row_columns(
    record: Record,
    outputs: Path,
    identity: Mapping[str, Any],
    *,
    seconds: float,
    not_in_cell: Sequence[str] = ("seed",),
) -> dict[str, Any]:
    """What the row of any measurement says of its run: name, time, hashes, versions, machine.

    identity: all that the result depends on. not_in_cell: its keys that runs of one cell differ in.
    """
    environment = record.facts["environment"]
    return {
        "run": name_in(outputs, record.folder),
        "finished": now(),
        "config_hash": hash_of(identity),
        "cell": hash_of({key: identity[key] for key in identity if key not in not_in_cell}),
        "code_version": environment["code_version"],
        "device": environment["device"],
        "hardware": environment["hardware"],
        "torch": environment["packages"]["torch"],
        "seconds": seconds,
    }


def name_in(outputs: Path, folder: Path) -> str:
    """The folder relative to `outputs`, as the table names runs; if outside, the whole path."""
    outer, inner = outputs.resolve(), folder.resolve()
    return inner.relative_to(outer).as_posix() if inner.is_relative_to(outer) else str(inner)
