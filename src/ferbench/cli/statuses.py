"""Exit statuses of a command's jobs, which a launcher may run in other processes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Statuses:
    """Statuses of the jobs that failed.

    folder: a file for each; None where there is no room for temporary files.
    owner: the process that asks at the end, which can keep its own in memory: `here`.
    """

    folder: Path | None
    owner: int
    here: list[int] = field(default_factory=list)

    @staticmethod
    @contextmanager
    def of_this_command() -> Iterator[Statuses]:
        """Statuses for one command line. Where TMPDIR is full or absent, those of this process."""
        try:
            made = tempfile.TemporaryDirectory(prefix="ferbench-status-")
        except OSError:
            yield Statuses(None, os.getpid())
            return
        with made as folder:
            yield Statuses(Path(folder), os.getpid())

    def add(self, status: int) -> None:
        """Note that a job ended so, as the name of an empty file; OSError if nothing can be."""
        try:
            if self.folder is not None:
                handle, _ = tempfile.mkstemp(prefix=f"{status}-", dir=self.folder)
                os.close(handle)
                return
        except OSError:
            if os.getpid() != self.owner:
                raise
        self.here.append(status)

    def count(self) -> int:
        """How many jobs failed."""
        return len(self._all())

    def worst(self) -> int:
        """The status of the command: 0 if no job failed, else the smallest; a bug is 1."""
        return min(self._all(), default=0)

    def _all(self) -> list[int]:
        files = self.folder.iterdir() if self.folder is not None else ()
        return [*self.here, *(int(path.name.partition("-")[0]) for path in files)]
