"""docs/extending.md: what it adds to ferbench, made from the page as a reader makes it."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ferbench.classes import CLASSES, SPLITS
from ferbench.data import face_set, synthetic_set
from ferbench.study import yaml_file

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "extending.md"
BLOCK = re.compile(r"^(?:`([^`\n]+)`:\n\n)?```(\w+)\n(.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Block:
    """A block of code. file: named in the line above, what it is or is added to; None: commands."""

    file: str | None
    kind: str
    text: str


def walk(title: str) -> list[Block]:
    """The blocks of a section of the page, from its first to its last."""
    (section,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE.read_text("utf-8"), re.M | re.S)
    return [Block(*found.groups()) for found in BLOCK.finditer(section)]


@dataclass(frozen=True)
class Checkout:
    """A copy of the repository in which a walk is done."""

    root: Path

    def make(self, blocks: list[Block]) -> None:
        """Write the files, add the lines."""
        for block in blocks:
            if block.file is not None:
                self._make(self.root / block.file, block)

    def run(self, blocks: list[Block], *leave_out: str) -> str:
        """What the commands print, but those that begin with one of `leave_out`."""
        lines = [line for block in blocks if block.file is None for line in block.text.splitlines()]
        return "".join([self.call(line) for line in lines if not line.startswith(leave_out)])

    def call(self, line: str) -> str:
        """What a command prints; it has to succeed."""
        program, *words = shlex.split(line)
        module = {"ferbench": ["-m", "ferbench"], "python": []}[program]
        source = os.pathsep.join([str(self.root / "src"), str(ROOT / "third_party")])
        done = subprocess.run(
            [sys.executable, *module, *words],
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": source},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout

    def _make(self, path: Path, block: Block) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if block.kind != "diff":
            assert not path.exists(), f"{block.file} is there already"
            path.write_text(block.text, "utf-8")
            return
        before, after = changed(block.text)
        text = path.read_text("utf-8")
        assert text.count(before) == 1, f"{block.file}: not once there: {before}"
        path.write_text(text.replace(before, after), "utf-8")


def changed(diff: str) -> tuple[str, str]:
    """The lines as they are, and as the diff makes them: " " in front is kept, "+" is new."""
    lines = diff.splitlines(keepends=True)
    assert {line[0] for line in lines} == {" ", "+"}, diff
    return "".join(x[1:] for x in lines if x[0] == " "), "".join(x[1:] for x in lines)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    for folder in ("src", "conf"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return Checkout(tmp_path)


def test_the_network(checkout: Checkout) -> None:
    blocks = walk("A network")
    checkout.make(blocks)
    printed = checkout.run(blocks)
    assert "Small network of depthwise convolutions." in printed
    assert re.search(r"^mynet +quick +toy +350 ", printed, re.M)  # its line in the table


def test_the_data_sets(checkout: Checkout) -> None:
    blocks = walk("A data set")
    checkout.make(blocks)
    rng = np.random.default_rng(0)
    for folder in (checkout.root / "mine" / split / name for split in SPLITS for name in CLASSES):
        folder.mkdir(parents=True)
        Image.fromarray(rng.integers(0, 256, (60, 60, 3), np.uint8)).save(folder / "0.png")
    np.save(checkout.root / "theirs_images.npy", rng.integers(0, 256, (7, 48, 48), np.uint8))
    np.save(checkout.root / "theirs_labels.npy", np.arange(7))
    checkout.run(blocks, "ferbench")
    assert len(face_set.read(checkout.root / "outputs/data/mine").splits["private"]) == 7
    assert len(synthetic_set.read(checkout.root / "outputs/synth/theirs")) == 7
    composed = checkout.call("ferbench classify --config-dir my_configs data=mine --cfg job")
    assert "folder: outputs/data/mine" in composed


def test_the_measurement(checkout: Checkout) -> None:
    """On a set that is there already instead of one that a generator draws."""
    blocks = walk("A measurement")
    checkout.make(blocks)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (7, 48, 48), np.uint8)
    synthetic_set.write(checkout.root / "outputs/synth/noise", images, np.arange(7), {})
    printed = checkout.run(blocks, "ferbench synth")
    assert "Compare the contrast of a synthetic set with that of real faces." in printed
    assert re.search(r"^noise +1 +7\d\.\d ", printed, re.M)  # its line in the table


def test_the_study(checkout: Checkout) -> None:
    blocks = walk("A study")
    checkout.make(blocks)
    checkout.run(blocks)
    report = (checkout.root / "outputs/study/mine/cpu/report.md").read_text("utf-8")
    assert "label smoothing 0.1" in report and "noise" in report


def test_the_study_with_all_keys(tmp_path: Path) -> None:
    """The example of docs/studies.md is a study."""
    text = (ROOT / "docs" / "studies.md").read_text("utf-8")
    (example,) = [text for _, kind, text in BLOCK.findall(text) if kind == "yaml"]
    (tmp_path / "mine.yaml").write_text(example, "utf-8")
    assert len(yaml_file.read(tmp_path / "mine.yaml", budget="cpu").cells) == 3


def test_blocks_without_a_file_are_commands() -> None:
    """A reader has to know where a block belongs."""
    titles = re.findall(r"^## (.+)$", PAGE.read_text("utf-8"), re.M)
    blocks = [block for title in titles for block in walk(title)]
    assert len(blocks) > 20
    assert all((block.kind == "bash") == (block.file is None) for block in blocks)
