"""Judges whose outputs are not finite are refused; those that know little are used, and named."""

import json

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from ferbench import results, runs
from ferbench.classes import CLASSES
from ferbench.commands import (
    audit,
    bias,
    classify,
    curate,
    evaluate,
    fidelity,
    inputs,
    synth,
    train_gan,
)
from ferbench.data import synthetic_set
from ferbench.errors import UserError
from ferbench.files import sha256_of
from ferbench.results.rows import BiasRow, ClassifierRow, CurateRow, FidelityRow

FAST = ("device=cpu", "precision=fp32")
SMALL = (
    "model.width=4",
    "train.epochs=1",
    "train.batch=16",
    "train.warmup_epochs=0",
    "logger=none",
    "train.ema_decay=0.5",
    "eval.tta=none",
    *FAST,
)
FIDELITY = ("metrics.kid_subsets=3", "map=none")
CURATE = ("n=35", "mismatched=keep", "confidence=null", "duplicates=false", "train_copies=false")
CURATE += ("spread=false",)
GAN = ("gan=tiny", "gan.res=12", "gan.z_dim=8", "gan.w_dim=8", "gan.channel_base=128")
GAN += ("gan.channel_max=8", "gan.batch=16", "gan.tick_kimg=0.064", "total_kimg=0.064")
GAN += ("logger=none", "gan.score_per_class=4", "gan.score_ticks=1", *FAST)
COMMANDS = {
    "audit": audit.run,
    "classify": classify.run,
    "curate": lambda job: curate.run(job, None),
    "fidelity": fidelity.run,
    "synth": synth.run,
    "train-gan": train_gan.run,
}


@pytest.fixture
def judge(finished):
    """A classifier of one epoch."""
    return finished("classify", *SMALL, "data=real")


@pytest.fixture
def made_set(outputs):
    images = np.random.default_rng(1).integers(0, 256, (140, 48, 48), dtype=np.uint8)
    root = outputs / "synth" / "made"
    synthetic_set.write(root, images, np.arange(140) % 7, {})
    return root


@pytest.fixture
def spoil(outputs):
    """spoil(run, value, ...): put a value into the last bias of a run's network."""

    def change(run, value):
        weights = load_file(run / inputs.WEIGHTS)
        weights["network.head.bias"][0] = value
        save_file(weights, run / inputs.WEIGHTS)
        facts = json.loads((run / "run.json").read_text())  # as if training had made it so
        facts[inputs.WEIGHTS_HASH] = sha256_of(run / inputs.WEIGHTS)
        (run / "run.json").write_text(json.dumps(facts))

    return change


def with_scores(run, **columns):
    """Give a run's row other scores."""
    facts = json.loads((run / "run.json").read_text())
    facts["row"] |= columns
    (run / "run.json").write_text(json.dumps(facts))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("fidelity", [*FAST, *FIDELITY]),
        ("audit", [*FAST]),
        ("curate", [*FAST, *CURATE]),
        ("train-gan", [*GAN]),
        ("synth", [*FAST, "n=14"]),
        ("classify", [*SMALL, "data=synthetic"]),
    ],
)
def test_numbers_that_are_not_finite_are_refused(
    command, words, value, outputs, judge, made_set, spoil, make_job, make_generator
):
    """Before anything is measured or written, in one line that names the key."""
    spoil(judge, value)
    data_hash = json.loads((judge / "run.json").read_text())["row"]["data_hash"]
    if command == "synth":
        facts = {"data_hash": data_hash, "class_counts": dict.fromkeys(CLASSES, 2)}
        words = [*words, f"gan.path={make_generator(outputs / 'g.safetensors', **facts)}"]
    key = "data.teacher" if command == "classify" else "judge"
    job = make_job(command, *words, f"{key}={judge}")
    left = {*outputs.rglob("run.json")}
    with pytest.raises(UserError, match=f"^{key}={judge}: its outputs are not finite"):
        COMMANDS[command](job)
    assert {*outputs.rglob("run.json")} == left
    if command == "synth":
        assert len([*outputs.glob("synth/*")]) == 1


def test_predictions_that_are_not_finite_are_refused(outputs, judge, make_job):
    with np.load(judge / "predictions.npz") as file:
        arrays = dict(file)
    arrays["logits"][0, 0] = np.nan
    np.savez(judge / "predictions.npz", **arrays)
    with pytest.raises(UserError, match=r"run=.*: predictions.npz holds numbers .* not finite"):
        bias.run(make_job("bias", f"run={judge}", "bootstrap=10"))
    assert not (outputs / "bias").exists()


def test_a_judge_that_knows_little_is_used_and_named(
    outputs, judge, made_set, make_job, make_generator, capsys
):
    """Once on the terminal, in the row, and in the head of the report."""
    scores = dict.fromkeys((f"recall_{name}" for name in CLASSES), 0.5)
    with_scores(judge, accuracy=0.5, **scores | {"recall_disgust": 0.0})
    capsys.readouterr()
    text = (
        f"judge {judge.name} cannot be trusted: accuracy 50.0 %, recall of disgust 0.0 % on "
        "fer2013 private, expected accuracy of 60.0 % and recalls of 10.0 % or more"
    )

    def printed():
        return capsys.readouterr().out.count(f"warning: {text}\n")

    folder = fidelity.run(make_job("fidelity", *FAST, *FIDELITY))
    assert printed() == 1
    assert results.read(outputs, FidelityRow)[0].warnings == text
    report = (folder / "report.md").read_text().replace("\\", "")
    assert report.index(f"Warning: {text}.") < report.index("What was compared")
    curate.run(make_job("curate", *FAST, *CURATE), None)
    assert printed() == 1
    assert results.read(outputs, CurateRow)[0].warnings == text
    train_gan.run(make_job("train-gan", *GAN))
    assert printed() == 1
    data_hash = json.loads((judge / "run.json").read_text())["row"]["data_hash"]
    path = make_generator(outputs / "g.safetensors", data_hash=data_hash)
    drawn = synth.run(make_job("synth", *FAST, "n=14", f"gan.path={path}", "center_latents=50"))
    assert printed() == 1
    assert runs.status_of(drawn)["warnings"] == [text]
    classify.run(make_job("classify", *SMALL, "data=synthetic", f"data.teacher={judge}"))
    assert printed() == 1
    assert text in results.read(outputs, ClassifierRow)[-1].warnings


def test_a_good_judge_is_not_named(outputs, judge, made_set, make_job, capsys):
    with_scores(judge, accuracy=0.7, **dict.fromkeys((f"recall_{n}" for n in CLASSES), 0.7))
    fidelity.run(make_job("fidelity", *FAST, *FIDELITY))
    assert "cannot be trusted" not in capsys.readouterr().out
    assert results.read(outputs, FidelityRow)[0].warnings is None


def test_one_class_for_everything_is_said(outputs, judge, spoil, make_job, capsys):
    """By evaluate, bias and the table; the row keeps it."""
    spoil(judge, 1e6)
    capsys.readouterr()
    text = "the classifier gives one class for every test image: angry"
    evaluate.run(make_job("evaluate", f"run={judge}", "eval.tta=none", *FAST))
    assert f"warning: {text}\n" in capsys.readouterr().out
    assert results.read(outputs, ClassifierRow)[-1].warnings == text
    with np.load(judge / "predictions.npz") as file:
        arrays = dict(file)
    arrays["logits"][:] = [9, 0, 0, 0, 0, 0, 0]
    np.savez(judge / "predictions.npz", **arrays)
    folder = bias.run(make_job("bias", f"run={judge}", "bootstrap=10"))
    assert f"warning: {text}\n" in capsys.readouterr().out
    assert f"Warning: {text}." in (folder / "report.md").read_text()
    assert results.read(outputs, BiasRow)[-1].warnings == text


def test_a_classifier_that_learned_one_class_says_so(outputs, make_job, capsys):
    """Without a step there is nothing but the first guess."""
    classify.run(make_job("classify", *SMALL, "data=real", "train.peak_lr=1e-12"))
    (row,) = results.read(outputs, ClassifierRow)
    hits = [getattr(row, f"recall_{name}") for name in CLASSES]
    assert sorted(hits) == [0, 0, 0, 0, 0, 0, 1]
    text = f"gives one class for every test image: {CLASSES[hits.index(1)]}"
    assert row.warnings == f"the classifier {text}"
    assert f"warning: the classifier {text}\n" in capsys.readouterr().out
