"""Every command ends with what to do next; the commands that it names are sound.

One folder, in which all commands are typed one after the other, tiny.
"""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from ferbench.cli import next_steps
from ferbench.cli.arguments import for_hydra
from ferbench.config.commands import COMMANDS

Ferbench = Callable[..., tuple[int, str]]
TOY = ["data=toy", "data.toy_train=140", "data.toy_public=70", "data.toy_private=70"]
FIT = ["model.width=4", "train=quick", "train.epochs=1", "train.batch=16", "logger=none"]
GAN = ["gan=tiny", "total_kimg=0.128", "gan.z_dim=8", "gan.w_dim=8", "gan.channel_base=128"]
GAN += ["gan.channel_max=8", "gan.tick_kimg=0.064", "logger=none", "judge=none"]
STUDY = """\
title: Toy faces
seeds: [0]
budgets: {cpu: {}}
cells: [{id: one, words: [WORDS]}]
"""


def the_next_ones(text: str) -> list[list[str]]:
    """The commands of the last line, each one checked as it is typed."""
    last = text.splitlines()[-1]
    assert last.startswith("next: ferbench "), text
    lines = [shlex.split(line)[1:] for line in last.removeprefix("next: ").split(", or ")]
    for command, *words in lines:
        for_hydra(command, words)
    return lines


def test_every_command_ends_with_what_to_do_next(ferbench: Ferbench, tmp_path: Path) -> None:
    def typed(*words: str) -> tuple[str, list[list[str]]]:
        status, text = ferbench(*words)
        assert status == 0, text
        return text, the_next_ones(text)

    _, following = typed("prepare", "source=toy", *TOY[1:])
    assert following == [["classify", "model=cnn", *TOY]]
    _, following = typed("classify", *TOY, *FIT)
    run = following[0][1].removeprefix("run=")
    assert following == [["bias", f"run={run}", *TOY], ["table"]]
    _, following = typed("train-gan", *TOY, *GAN)
    text, following = typed(*following[0], "n=140", "out_px=48", "judge=none")
    made = following[0][1].removeprefix("set=")
    assert f"wrote {made}/contact_<class>.png" in text
    assert following == [
        ["fidelity", f"set={made}", "data=toy"],
        ["classify", "data=synthetic", f"data.synthetic={made}", "data.base=toy"],
    ]
    text, after_fidelity = typed(*following[0], *TOY[1:], "map=none")
    assert re.search(
        r"^report: outputs/fidelity/\S+/report.html, figures beside it \(\d+ s\)$",
        text,
        re.MULTILINE,
    )
    assert after_fidelity == [["audit", f"set={made}", *TOY], ["table", "kind=fidelity"]]
    again, following = typed("fidelity", f"set={made}", *TOY, "map=none")
    assert "done already" in again and "\nreport: outputs/fidelity/" in again
    assert following == after_fidelity
    _, following = typed(
        *after_fidelity[0],
        *TOY[1:],
        "judge=none",
        "privacy.bootstrap=10",
        "privacy.control_images=20",
        "privacy.control_percents=10",
    )
    _, following = typed(*following[0], *TOY[1:], "bootstrap=10")
    assert following == [["table", "kind=bias"]]
    _, following = typed("audit-data", *TOY, "label_noise=none")
    assert following == [["classify", "model=cnn", *TOY], ["table", "kind=audit-data"]]
    _, following = typed("curate", f"set={made}", *TOY, "confidence=0", "mismatched=keep")
    assert following[0][0] == "fidelity"
    assert typed("evaluate", f"run={run}", *TOY, "eval.split=public")[1] == [["table"]]
    assert typed("table")[1] == [["table", "format=latex"]]
    words = ", ".join([*TOY, *FIT])
    (tmp_path / "toy.yaml").write_text(STUDY.replace("WORDS", words))
    assert "without plan=true" in ferbench("study", "file=toy.yaml", "plan=true")[1]
    text, following = typed("study", "file=toy.yaml")
    assert following == [["table"]]
    assert text.count("\nnext: ") == 1  # its runs say nothing
    text, following = typed("classify", "-m", *TOY, *FIT, "seed=0,1")
    assert text.count("next: ") == 1 and following == [["table"]]


def test_every_command_has_its_line() -> None:
    assert set(next_steps.AFTER) == set(COMMANDS)


@pytest.mark.parametrize("form", ["csv", "markdown"])
def test_a_table_for_a_file_has_no_such_line(form: str, ferbench: Ferbench) -> None:
    assert "next:" not in ferbench("table", f"format={form}")[1]


def test_a_sweep_with_failures_is_tried_again(ferbench: Ferbench) -> None:
    status, text = ferbench("evaluate", "-m", "run=nowhere,elsewhere")
    assert status == 2
    assert "next: the same command tries the 2 runs that failed again\n" in text
