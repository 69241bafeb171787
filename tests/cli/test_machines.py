"""Terminals that lack letters, no room for temporary files, python -O, Windows."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

START = "from ferbench.cli import main\nmain()"
ALL_LETTERS = (
    "import ferbench.commands.table as table\n"
    "table.run = lambda job: print('0.5 \\u00b1 0.1 \\u00e4 \\u4e2d \\u2192 \\u20ac')\n"
)


def run(*words: str, before: str = "", **env: str) -> subprocess.CompletedProcess[bytes]:
    """A command line in a process of its own, `before` being run in it first."""
    return subprocess.run(
        [sys.executable, "-c", f"{before}\n{START}", *words],
        capture_output=True,
        env=os.environ | env,
        check=False,
    )


# --- letters -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("ascii", b"0.5 +- 0.1 a ? -> ?\n"),
        ("gbk", "0.5 \u00b1 0.1 a \u4e2d \u2192 \u20ac\n".encode("gb18030")),
        ("utf-8", "0.5 \u00b1 0.1 \u00e4 \u4e2d \u2192 \u20ac\n".encode()),
        ("ascii:backslashreplace", rb"0.5 \xb1 0.1 \xe4 \u4e2d \u2192 \u20ac" + b"\n"),
    ],
)
def test_letters_that_a_terminal_lacks_get_substitutes(encoding: str, expected: bytes) -> None:
    done = run("table", before=ALL_LETTERS, PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, b"")
    if encoding != "gbk":
        assert done.stdout.splitlines(keepends=True)[0] == expected
    else:
        assert done.stdout.decode("gbk").startswith("0.5 \u00b1 0.1 a \u4e2d \u2192 ")


def test_the_line_of_a_mistake_is_printed_in_ascii_too() -> None:
    """With Python's escapes, which lose nothing of what was typed."""
    done = run("classify", "data=\u00e4\u00b1", PYTHONIOENCODING="ascii")
    assert done.returncode == 2
    assert done.stderr.startswith(rb"ferbench: data=\xe4\xb1: ")
    assert done.stderr.count(b"\n") == 1


# --- temporary files -----------------------------------------------------------------------------

FULL = (
    "import errno, tempfile\n"
    "def full(*given, **named): raise OSError(errno.ENOSPC, 'No space left on device')\n"
    "tempfile.mkstemp = tempfile.NamedTemporaryFile = full\n"
)


@pytest.mark.parametrize("words", [["seed=-1"], ["-m", "seed=-1,-2"]])
@pytest.mark.parametrize("trouble", ["full", "no folder", "no room"])
def test_a_mistake_has_its_status_without_temporary_files(words: list[str], trouble: str) -> None:
    absent = "import tempfile; tempfile._candidate_tempdir_list = lambda: ['/nowhere/at/all']"
    nothing = FULL + "tempfile.TemporaryDirectory = tempfile.mkdtemp = full\n"
    before = {"full": FULL, "no folder": absent, "no room": nothing}[trouble]
    done = run("classify", *words, before=before)
    assert done.returncode == 2
    lines = done.stderr.decode().splitlines()
    assert [line.partition(": expected")[0] for line in lines] == [
        f"ferbench: seed={value}" for value in words[-1].removeprefix("seed=").split(",")
    ]


# --- python -O and Windows -----------------------------------------------------------------------


def test_a_range_under_python_o_is_one_line() -> None:
    """Hydra's parser needs its asserts there."""
    done = run("classify", "-m", "seed=range(3,5)", PYTHONOPTIMIZE="1")
    assert done.returncode == 2
    assert done.stderr.startswith(b"ferbench: seed=range(3,5): Hydra cannot read functions ")
    assert done.stderr.count(b"\n") == 1
    plain = run("table", "-m", "format=csv,markdown", before=ALL_LETTERS, PYTHONOPTIMIZE="1")
    assert (plain.returncode, plain.stdout.count(b"0.5")) == (0, 2)


def test_windows_gets_one_line_that_names_where_it_runs() -> None:
    """Without what Windows lacks; its name comes late, because paths here could not be its own."""
    lacking = (
        "import os, signal, sys\n"
        "for name in ('SIGPIPE', 'SIGHUP', 'SIGKILL'): delattr(signal, name)\n"
        "for name in ('fcntl', 'resource', 'termios'): sys.modules[name] = None\n"
        "import ferbench.cli\n"
        "os.name = 'nt'"
    )
    done = run("classify", before=lacking)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"ferbench: for Linux and macOS; on Windows it runs in WSL\n"


def test_the_package_says_where_it_runs() -> None:
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    assert '"Operating System :: POSIX :: Linux"' in text
    assert '"Operating System :: MacOS"' in text
