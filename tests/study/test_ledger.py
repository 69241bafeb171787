"""What is left of a study, and how long it may take."""

import pytest

from ferbench.study.ledger import DONE, FAILED, Entry, Progress
from ferbench.study.plan import Task

TASKS = [
    Task("set", "synth", ("n=7",)),
    Task("a/s0", "classify", ("model=cnn",), "a", 0),
    Task("a/s1", "classify", ("model=cnn",), "a", 1),
    Task("b/s0", "classify", ("model=vgg",), "b", 0),
]


def progress(**seconds: float) -> Progress:
    """These runs are done, and took so long; their names have _ for /."""
    entries = {
        id.replace("_", "/"): Entry(id, "", [], DONE, "folder", spent, None)
        for id, spent in seconds.items()
    }
    return Progress(TASKS, entries, {})


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        ({}, "unknown"),
        ({"a_s0": 60}, "more than 2 min"),  # the set's time is unknown
        ({"set": 5}, "unknown"),  # and so is a classifier's
        ({"set": 5, "a_s0": 60}, "about 2 min"),
        ({"set": 5, "a_s0": 60, "b_s0": 300}, "about 60 s"),  # as the same cell's other seed
        ({"set": 5, "a_s0": 60, "a_s1": 60, "b_s0": 300}, "about 0 s"),
    ],
)
def test_the_time_left_is_told_from_runs_alike(seconds: dict[str, float], text: str) -> None:
    assert progress(**seconds).time_left() == text


def test_an_estimate_stands_where_no_run_is_alike() -> None:
    """The same cell's runs count first, then the same model's; a step's are not alike."""
    estimates = {"set": 30.0, "a": 100.0, "b": 200.0}
    now = Progress(TASKS, {}, {}, estimates)
    assert [now.guess(task) for task in TASKS] == [30, 100, 100, 200]
    done = progress(a_s0=60).entries
    now = Progress(TASKS, done, {}, estimates)
    assert [now.guess(task) for task in TASKS] == [30, 60, 60, 200]
    assert now.time_left() == "about 5 min"


def test_a_failed_run_is_left() -> None:
    entry = Entry("set", "synth", [], FAILED, None, 1.0, "no disk")
    now = Progress(TASKS, {"set": entry}, {})
    assert now.left == TASKS
    assert not now.is_done(TASKS[0])
