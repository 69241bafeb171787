"""The three commands that a user types one after the other, in a fresh folder, tiny."""

from pathlib import Path

import pytest

from ferbench import results
from ferbench.results.rows import ClassifierRow

TINY_GAN = [
    "gan=tiny",
    "total_kimg=0.128",
    "logger=none",
    "device=cpu",
    "gan.z_dim=8",
    "gan.w_dim=8",
    "gan.channel_base=128",
    "gan.channel_max=8",
    "gan.batch=16",
    "gan.tick_kimg=0.064",
    "judge=none",
]
TINY_CLASSIFIER = [
    "model.width=4",
    "train=quick",
    "train.epochs=1",
    "train.batch=16",
    "train.warmup_epochs=0",
    "logger=none",
    "device=cpu",
    "eval.tta=none",
]


@pytest.fixture
def prepared(outputs, monkeypatch):
    """A fresh folder in which FER2013, of made images, is prepared."""
    monkeypatch.chdir(outputs.parent)


def test_the_three_commands_follow_each_other(ferbench, prepared):
    """64-pixel images reach the classifier of 48-pixel faces."""
    status, text = ferbench("train-gan", "+res=64", *TINY_GAN)
    assert status == 0, text
    status, text = ferbench("synth", "n=70", "device=cpu", "judge=none")
    assert status == 0 and "(the newest complete run)" in text, text
    status, text = ferbench("classify", "model=cnn", "data=synthetic", *TINY_CLASSIFIER)
    assert status == 0, text
    assert "have 64 x 64 pixels; they are resized to 48 x 48" in text
    (row,) = results.read(Path("outputs"), ClassifierRow)
    assert (row.data, row.synthetic_images, row.synthetic_px) == ("synthetic", 70, 64)
    assert row.test_data == "fer2013" and row.n_test == 70


def test_without_a_trained_generator_the_shipped_one_draws(ferbench):
    status, text = ferbench("synth", "n=7", "device=cpu")
    assert status == 0, text
    assert "gan=fer48-long (the generator that ferbench ships" in text


@pytest.mark.parametrize(
    "words",
    [["train-gan", "+res=64", *TINY_GAN], ["classify", "model=cnn", "data=synthetic"]],
    ids=lambda words: words[0],
)
def test_before_prepare_the_message_names_it(ferbench, words):
    status, text = ferbench(*words)
    assert status == 2 and "`ferbench prepare" in text and text.count("\n") == 1, text


def test_before_synth_the_message_names_it(ferbench, prepared):
    status, text = ferbench("classify", "model=cnn", "data=synthetic", *TINY_CLASSIFIER)
    assert status == 2 and "`ferbench synth`" in text and text.count("\n") == 1, text
