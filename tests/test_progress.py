"""What a long command says of its way where nobody looks at a terminal."""

import io
import sys

import pytest

from ferbench import progress
from ferbench.progress import Counter, clock, epoch_line, say, steps

HISTORY = [
    {"epoch": 1, "train_loss": 2.0, "train_accuracy": 0.1, "seconds": 30.0},
    {"epoch": 2, "train_loss": 1.5, "train_accuracy": 0.25, "seconds": 60.0},
]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00:00"), (3723.4, "1:02:03"), (-1, "0:00:00")]
)
def test_the_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_an_epochs_line_has_its_numbers_and_the_time_left() -> None:
    history = [row | {"images_per_second": 1234.4} for row in HISTORY]
    assert epoch_line(history, 10) == (
        "epoch 2/10: loss 1.500, accuracy in training 0.250, 1234 images/s, left 0:04:00"
    )
    history[-1]["public_accuracy"] = 0.3456
    assert ", accuracy on held-out faces 0.346, " in epoch_line(history, 10)


def test_a_line_a_percent_at_most_every_ten_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with Counter(1000, "drawn", done=200) as counter:
        for _ in range(80):
            now[0] += 1.0
            counter.update(10)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 8
    assert lines[0] == "drawn: 300 of 1,000 img (30 %), 10 img/s, left 0:01:10"
    assert lines[-1].startswith("drawn: 1,000 of 1,000 img (100 %)")


def test_work_with_lines_of_its_own_gets_one_a_minute_between_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An epoch of two minutes at 10 images/s, of 100 such epochs: no percent is needed."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with Counter(120_000, "training", own_lines=True) as counter:
        counter.describe("epoch 1/100", "loss 1.500")
        for second in range(130):
            now[0] += 1.0
            counter.update(10)
            if second == 100:
                counter.pulse.reset()  # the work has printed a line
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["epoch 1/100: 600 of 120,000 img (0 %), loss 1.500, 10 img/s, left 3:19:00"]


def test_progress_of_done_and_total(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with progress.counting("read") as show:
        for done in (256, 512, 600):
            now[0] += 8.0
            show(done, 600)
    assert capsys.readouterr().out == "read: 512 of 600 img (85 %), 32 img/s, left 0:00:03\n"


def test_short_counts_and_part_percents_print_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with Counter(10_000, "drawn") as counter:
        for _ in range(9):
            now[0] += 20.0
            counter.update(10)  # 90 of 10,000
    with Counter(0, "nothing"):
        pass
    assert capsys.readouterr() == ("", "")


def test_steps_are_lines_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with steps() as begin:
        begin("the real images")
        begin("intervals")
    assert capsys.readouterr() == ("0:00:00 the real images\n0:00:00 intervals\n", "")


def test_a_terminal_gets_the_bar_and_lines_of_epochs_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, err = Terminal(), Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    with steps() as begin:
        begin("intervals")
        say("epoch 1/2: loss 1.000")
    assert "intervals" in err.getvalue()
    assert out.getvalue().strip() == "epoch 1/2: loss 1.000"
