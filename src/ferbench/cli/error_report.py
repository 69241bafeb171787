"""How an error ends: one line for a user's mistake or a stop, a traceback for a bug; the status."""

from __future__ import annotations

import os
import signal
import sys
import traceback

from ferbench.errors import UserError

BUG, USER_MISTAKE, INTERRUPTED = 1, 2, 130
NOBODY_READS = 128 + signal.SIGPIPE


def report(error: BaseException, full_error: bool) -> int:
    """Print an error, a user's mistake or a stop as one line, a bug as traceback; its status."""
    if isinstance(error, BrokenPipeError) and _nobody_reads():
        return NOBODY_READS
    stopped = isinstance(error, KeyboardInterrupt)
    if full_error or not (stopped or isinstance(error, UserError)):
        traceback.print_exception(error)
    else:
        new_line = "\n" if stopped and sys.stderr.isatty() else ""  # after the terminal's ^C
        print(f"{new_line}ferbench: {str(error) or 'interrupted'}", file=sys.stderr, flush=True)
    if stopped:
        return int(getattr(error, "exit_status", INTERRUPTED))
    return USER_MISTAKE if isinstance(error, UserError) else BUG


def _nobody_reads() -> bool:
    """Whether stdout is closed at its other end (`| head`); what is left is then thrown away."""
    try:
        print(flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False
