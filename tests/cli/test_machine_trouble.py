"""Disk, permission, locks and memory: one line that names the path and the way out, status 2."""

import errno
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

import ferbench
from ferbench.cli.machine_trouble import sentence
from ferbench.files import save_array

SMALL = [
    *("data=toy", "data.toy_train=70", "data.toy_public=14", "data.toy_private=14", "device=cpu"),
    *("model=cnn", "model.width=4", "model.input_px=48"),
    *("train.epochs=1", "train.batch=16", "eval.batch=16"),
]
NEEDS_A_USER = pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")


def run(
    *words: str, before: str = "", env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """A command line in a process of its own, `before` being run in it first."""
    code = f"{before}\nfrom ferbench.cli import main\nmain()"
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | (env or {}),
        check=False,
    )


def is_one_line(done: subprocess.CompletedProcess[str], *expected: str) -> None:
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    for text in ("ferbench: ", *expected):
        assert text in line


# --- disk ----------------------------------------------------------------------------------------


def unusable(tmp_path: Path, kind: str) -> Path:
    """A path that cannot be a folder of outputs."""
    path = tmp_path / "outputs"
    if kind == "file":
        path.write_text("no folder")
    elif kind == "dangling":
        path.symlink_to(tmp_path / "nowhere" / "at-all")
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "long":
        path = tmp_path / ("x" * 300)
    elif kind == "/proc":
        path = Path("/proc/nope")
    elif kind == "forbidden":
        path.mkdir(mode=0o500)
    return path


@pytest.mark.parametrize(
    "kind",
    ["file", "dangling", "loop", "long", "/proc", pytest.param("forbidden", marks=NEEDS_A_USER)],
)
def test_outputs_that_cannot_be_written_are_one_line(kind: str, tmp_path: Path) -> None:
    path = unusable(tmp_path, kind)
    is_one_line(run("classify", *SMALL, f"outputs={path}"), str(path), "outputs=FOLDER")


def test_a_full_disk_is_one_line_and_keeps_what_was_there(tmp_path: Path) -> None:
    """Files of at most 4,000 bytes stand for the disk: EFBIG comes from the same calls."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))"
    done = run("classify", *SMALL, f"outputs={tmp_path}", before=limit)
    is_one_line(done, str(tmp_path), "room there, or outputs=FOLDER")
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith(".part")]


@pytest.mark.parametrize(
    ("error", "named", "way_out"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "o/x"), "o/x: No space", "outputs="),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            "o: No space",
            "room there, or outputs=",
        ),
        (PermissionError(errno.EACCES, "Permission denied", "o/x"), "o/x: Perm", "outputs=FOLDER"),
        (PermissionError(errno.EACCES, "Permission denied", "/q/y"), "/q/y: Perm", "a path that"),
        (OSError(errno.EROFS, "Read-only file system", "o/x"), "o/x: Read-only", "outputs=FOLDER"),
        (OSError(errno.EIO, "Input/output error", "/q/y"), "/q/y: Input", "a path"),
        (OSError(errno.EMFILE, "Too many open files", "o/x"), "o/x: Too many", "ulimit -n"),
        (OSError("40 requested and 12 written"), "o: No space left", "outputs=FOLDER"),
    ],
)
def test_the_disk_is_named_with_the_way_out(error: OSError, named: str, way_out: str) -> None:
    text = sentence(error, "classify", "o")
    assert text is not None
    assert text.startswith(named)
    assert way_out in text


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "No such file", str(Path(ferbench.__file__).parent / "x")),
        NotADirectoryError(errno.ENOTDIR, "Not a folder", f"{ferbench.__file__}/x"),
        FileNotFoundError(errno.ENOENT, "No such file", "forgotten.json"),
        FileNotFoundError(errno.ENOENT, "No such file"),
        BrokenPipeError(errno.EPIPE, "a worker died"),
        OSError("no number"),
        RuntimeError("shape mismatch"),
        ZeroDivisionError("boom"),
    ],
)
def test_a_bug_stays_a_bug(error: Exception) -> None:
    assert sentence(error, "classify", "o") is None


def test_an_array_that_does_not_fit_names_its_file(tmp_path: Path) -> None:
    """Whatever numpy says of it; the old file stays."""
    path = tmp_path / "a.npy"
    save_array(path, np.zeros(3))
    code = (
        "import resource, sys, numpy as np; from pathlib import Path\n"
        "from ferbench.files import save_array\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))\n"
        "try: save_array(Path(sys.argv[1]), np.zeros(10_000))\n"
        "except OSError as error: print(error.filename, error.errno)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)
    assert done.stdout.split()[0] == str(path), done.stderr
    assert int(done.stdout.split()[1]) in (errno.ENOSPC, errno.EFBIG)
    assert np.load(path).shape == (3,)
    assert list(tmp_path.iterdir()) == [path]


# --- memory --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "where"),
    [
        (MemoryError(), "CPU"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 8 bytes"), "CPU"),
        (RuntimeError("not enough memory: you tried to allocate 8 bytes"), "CPU"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "CPU"),
        (torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "GPU"),
    ],
)
def test_out_of_memory_names_the_commands_own_keys(error: Exception, where: str) -> None:
    keys = {
        "classify": "a smaller train.batch= or eval.batch=, ",
        "train-gan": "a smaller gan.batch=, ",
        "synth": "a smaller batch=, ",
        "prepare": "",
    }
    for command, key in keys.items():
        text = sentence(error, command, "o")
        assert text is not None
        assert text.startswith(f"out of memory on the {where}; expected {key}"), text
        asks_for_cpu = where == "GPU" and command != "prepare"
        assert ("device=cpu" in text) is asks_for_cpu


def test_memory_that_ends_is_one_line_and_the_traceback_is_kept_for_who_asks() -> None:
    ends = (
        "import ferbench.commands.classify as c\n"
        "def run(job): import torch; torch.empty(10 ** 16)\n"
        "c.run = run"
    )
    is_one_line(run("classify", before=ends), "out of memory on the CPU", "train.batch=")
    full = run("classify", before=ends, env={"HYDRA_FULL_ERROR": "1"})
    assert full.returncode == 2
    assert "DefaultCPUAllocator" in full.stderr
    assert "Traceback" in full.stderr


# --- before the work -----------------------------------------------------------------------------


def first_files(outputs: Path) -> Sequence[str]:
    return [path.name for path in outputs.rglob("run.json")]


def test_a_table_that_takes_no_row_is_said_before_training(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").mkdir()
    done = run("classify", *SMALL, f"outputs={tmp_path}")
    is_one_line(done, "metrics.csv")
    assert not first_files(tmp_path)


def test_a_logger_without_its_package_is_said_before_training(tmp_path: Path) -> None:
    missing = "import sys; sys.modules['wandb'] = None"
    done = run("classify", *SMALL, "logger=wandb", f"outputs={tmp_path}", before=missing)
    is_one_line(done, "logger=wandb", "not installed")
    assert not first_files(tmp_path)


def test_a_finished_run_is_found_on_a_disk_that_can_only_be_read(tmp_path: Path) -> None:
    """Every call that would write is refused, as on a read-only disk."""
    words = ["classify", *SMALL, f"outputs={tmp_path}"]
    first = run(*words)
    assert first.returncode == 0, first.stderr
    refuse = (
        "import errno, os, sys\n"
        "outputs = sys.argv[-1].partition('=')[2]\n"
        "def guarded(real, writes):\n"
        "    def call(path, *given, **named):\n"
        "        if str(path).startswith(outputs) and writes(*given):\n"
        "            raise OSError(errno.EROFS, 'Read-only file system', str(path))\n"
        "        return real(path, *given, **named)\n"
        "    return call\n"
        "for name in ('unlink', 'rename', 'replace', 'truncate'):\n"
        "    setattr(os, name, guarded(getattr(os, name), lambda *given: True))\n"
        "os.open = guarded(os.open, lambda flags, *given: flags & (os.O_CREAT | os.O_WRONLY))"
    )
    again = run(*words, before=refuse)
    assert re.search(r"^done already", again.stdout, re.MULTILINE), again.stderr


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK])
def test_a_disk_without_locks_is_said_before_training(number: int, tmp_path: Path) -> None:
    no_locks = (
        "import fcntl, os\n"
        f"def flock(file, how): raise OSError({number}, os.strerror({number}))\n"
        "fcntl.flock = flock"
    )
    done = run("classify", *SMALL, f"outputs={tmp_path}", before=no_locks)
    is_one_line(done, str(tmp_path), "no file locks on this file system", "outputs=FOLDER")
    assert not first_files(tmp_path)


def test_locks_that_nobody_holds_are_none(tmp_path: Path) -> None:
    """Files that a killed run, or another program's soft lock, left behind."""
    words = ["classify", *SMALL, f"outputs={tmp_path}"]
    (tmp_path / "tables.lock").write_text("12345\nanother-host\n")
    assert run(*words).returncode == 0
    (folder,) = (tmp_path / "classify").iterdir()
    (folder / ".lock").write_text("12345\nanother-host\n")
    facts = (folder / "run.json").read_text().replace('"complete"', '"running"')
    (folder / "run.json").write_text(facts)
    again = run(*words)
    assert again.returncode == 0, again.stderr
    assert "done already" not in again.stdout
