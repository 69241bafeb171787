"""Stopping from outside: what a process does when the one that started it is gone."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ferbench import stopping
from ferbench.cli import jobs

WORKER = """
import os, sys, time
from ferbench import stopping
stopping.PARENT_SECONDS = 0.05
stopping.end_with(int(sys.argv[1]))
with stopping.StopSignal() as signal:
    print("works", flush=True)
    while not signal.received:
        time.sleep(0.01)
open(sys.argv[2], "w").write(str(signal.received))
stopping.leave_if_alone(7)
open(sys.argv[2], "w").write("went on")
"""
PARENT = """
import os, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", sys.argv[1], str(os.getpid()), sys.argv[2]])
time.sleep(60)
"""


def wait_for(path: Path) -> str:
    began = time.monotonic()
    while time.monotonic() - began < 20:
        if path.exists() and path.read_text():
            return path.read_text()
        time.sleep(0.02)
    raise AssertionError(f"{path} did not come")


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_a_worker_is_asked_to_stop_when_its_parent_is_killed(tmp_path: Path) -> None:
    """It gets SIGTERM, so that its run saves its state; then it ends."""
    told = tmp_path / "told"
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, WORKER, str(told)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == "works\n"
    parent.kill()
    assert parent.stdout.read() == ""  # the pipe's other end closes with the worker
    parent.wait()
    assert wait_for(told) == str(int(signal.SIGTERM))


def test_only_a_process_of_its_own_ends_with_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    watched: list[int] = []
    monkeypatch.setattr(stopping, "end_with", watched.append)
    monkeypatch.setattr(jobs, "_share_cores", lambda: None)
    with jobs.in_sweep(os.getpid()):
        pass
    assert watched == []
    with jobs.in_sweep(os.getppid()):
        pass
    assert watched == [os.getppid()]


def test_a_process_that_another_one_started_is_not_watched() -> None:
    """As on another machine, where the parent is a scheduler: its end means nothing."""
    before = signal.getsignal(signal.SIGTERM)
    stopping.end_with(os.getpid())
    assert signal.getsignal(signal.SIGTERM) is before
