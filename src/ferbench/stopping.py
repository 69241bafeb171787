"""Stopping from outside: signals, and the end of the process that started this one."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import Any

PARENT_SECONDS = 1.0  # how often a process that another one started looks for it
GOES_ON = "the same command goes on"

_unanswered = 0  # the signal that came when the latest run was about to end anyway


class Interrupted(KeyboardInterrupt):
    """The run stopped on a signal and its state is saved; the message says how to go on."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_status = 128 + signal_number


class StopSignal:
    """Context in which the first SIGINT or SIGTERM is noted; `received` holds its number.

    A second SIGINT ends the program at once. Outside the main thread, where Python allows no
    handlers, nothing is installed and `received` stays 0. What was noted is kept beyond the
    context for `raise_if_asked`.
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
        global _unanswered
        for number, handler in self._old.items():
            signal.signal(number, handler)
        _unanswered = self.received or _unanswered

    def _note(self, number: int, _: FrameType | None) -> None:
        if self.received and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = number


# --- between the runs of one command -------------------------------------------------------------


def begin_run() -> None:
    """Forget what an earlier run was asked."""
    global _unanswered
    _unanswered = 0


def raise_if_asked(before: str = "the next run") -> None:
    """Raise Interrupted if a signal came too late to stop the run that has just ended.

    To be called between the runs of a sweep or study, which then stops before the next one.
    """
    if _unanswered:
        raise Interrupted(f"stopped before {before}; {GOES_ON}", _unanswered)


def say_goes_on(stop: KeyboardInterrupt) -> None:
    """Add to the message of a stop that the command, which runs several, can be typed again."""
    if GOES_ON not in str(stop):
        stop.args = (f"{str(stop) or 'interrupted'}; {GOES_ON}",)


# --- processes ------------------------------------------------------------------------------------


class _Terminated(KeyboardInterrupt):
    exit_status = 128 + signal.SIGTERM


def end_on_sigterm() -> None:
    """Let SIGTERM end this process like Ctrl-C does, so that locks and half files are cleaned up.

    A process that is forked from it ends as if there were no handler.
    """
    own = os.getpid()

    def terminate(number: int, _: FrameType | None) -> None:
        if os.getpid() != own:
            os._exit(128 + number)
        raise _Terminated("terminated")

    signal.signal(signal.SIGTERM, terminate)


_watched = 0  # the process that this one ends with


def end_with(parent: int) -> None:
    """Let this process get SIGTERM once `parent` is gone: a run saves its state and ends.

    Does nothing if it is not this process's parent, or is watched already.
    """
    global _watched
    if _watched == parent or os.getppid() != parent:
        return
    _watched = parent
    end_on_sigterm()
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


def leave_if_alone(status: int) -> None:
    """End this process at once if the one that it works for is gone: nobody takes its results."""
    if _watched and os.getppid() != _watched:
        sys.stdout.flush()
        os._exit(status)
