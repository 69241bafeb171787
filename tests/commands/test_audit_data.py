"""`ferbench audit-data` from config to files, on made faces."""

import csv
import json
import shlex

import numpy as np
import pytest

from ferbench import results
from ferbench.classes import CLASSES
from ferbench.classifiers.training import Stopped
from ferbench.cli.arguments import for_hydra
from ferbench.commands import audit_data
from ferbench.data import face_set
from ferbench.errors import UserError
from ferbench.results.rows import DataAuditRow
from ferbench.results.show import Choice, show
from ferbench.runs import Interrupted

SMALL = (
    "device=cpu",
    "precision=fp32",
    "label_noise.folds=2",
    "label_noise.bootstrap=10",
    "label_noise.control_flips=0.1",
    "train.epochs=1",
    "train.batch=35",
    "model.width=4",
    "model.input_px=32",
)
COUNTED = ("label_noise=none", "device=cpu")


@pytest.fixture
def audited(make_job, outputs):
    """audited(word, ...): run the audit; its folder and its row."""

    def run(*words):
        audit_data.run(make_job("audit-data", *words))
        row = results.read(outputs, DataAuditRow)[-1]
        return outputs / row.run, row

    return run


def test_copies_are_counted_and_reported(audited, capsys):
    """The first private image is a copy of the first of train, and both are angry."""
    folder, row = audited(*COUNTED)
    assert (row.command, row.data, row.set_name) == ("audit-data", "real", "fer2013")
    assert (row.identical_groups, row.redundant_copies, row.private_in_train) == (1, 1, 1)
    assert (row.conflicting_groups, row.public_in_train, row.blank_images) == (0, 0, 0)
    assert (row.set_images, row.class_ratio, row.folds, row.label_noise) == (280, 1, None, None)
    printed = capsys.readouterr().out
    assert "1 test images are in Training, pixel by pixel: report `accuracy_dedup`" in printed
    assert (folder / "report.md").is_file() and (folder / "balance.png").is_file()
    page = (folder / "report.html").read_text("utf-8")
    assert page.count("data:image/png") == 1 and "label_noise=none" in page
    numbers = json.loads((folder / "metrics.json").read_text("utf-8"))
    assert numbers["copies"]["identical"]["groups"] == 1 and numbers["labels"] is None


def test_labels_are_judged(audited, outputs, report_figures):
    folder, row = audited(*SMALL)
    assert (row.folds, row.fold_model, row.control_flips) == (2, "cnn", 0.1)
    assert 0 <= row.label_noise_low <= row.label_noise_high <= 1
    assert 0 <= row.control_recall <= 1
    with (folder / "disputed.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == row.disputed_images
    margins = [float(line["margin"]) for line in lines]
    assert margins == sorted(margins)
    train = face_set.read(outputs / "data/fer2013").splits["train"]
    known = {name: CLASSES[k] for name, k in zip(train.names, train.labels, strict=True)}
    for line in lines:
        assert line["given"] != line["proposed"]
        if line["split"] == "train":
            assert known[line["name"]] == line["given"]
    text = (folder / "report.md").read_text("utf-8")
    assert "Read this with care" in text and "made wrong on purpose" in text
    names = {"balance.png", "labels.png", "control.png"}
    assert {path.name for path in folder.glob("*.png")} == names


def test_another_report_fits_nothing_again(audited, report_figures, monkeypatch):
    """The predictions are kept: showing real faces needs no training."""
    first, row = audited(*SMALL)
    monkeypatch.setattr("ferbench.classifiers.training.fit", None)
    second, again = audited(*SMALL, "show_real=true")
    assert second != first
    assert (second / "disputed.png").is_file() and not (first / "disputed.png").exists()
    assert again.label_noise == row.label_noise
    assert again.control_recall == row.control_recall


def test_the_report_s_command_gives_the_same_audit(audited, make_job, capsys):
    folder, _ = audited(*SMALL, "train.peak_lr=0.0007", "train.augment.erase=0.25")
    (line,) = (
        one
        for one in (folder / "report.md").read_text("utf-8").splitlines()
        if one.startswith("ferbench audit-data ")
    )
    words = for_hydra("audit-data", shlex.split(line)[2:])
    audit_data.run(make_job("audit-data", *words, "device=cpu"))
    assert f"done already: {folder}" in capsys.readouterr().out


def test_the_zoom_is_sought_on_demand(audited, capsys):
    _, row = audited(*COUNTED, "zoom=true")
    assert row.enlarged_copies == 0
    assert "more test images" not in capsys.readouterr().out


def test_a_stopped_audit_goes_on(audited, outputs, monkeypatch):
    """The first fold is kept when the second is stopped, and not fitted again."""
    from ferbench.classifiers import training

    fit, begun = training.fit, []

    def stopped(*args, **kwargs):
        begun.append(kwargs["state"].stem)
        if len(begun) == 2:
            raise Stopped
        return fit(*args, **kwargs)

    monkeypatch.setattr(training, "fit", stopped)
    with pytest.raises(Interrupted, match="the same command goes on"):
        audited(*SMALL)
    (facts,) = (
        json.loads(path.read_text()) for path in (outputs / "audit-data").glob("*/run.json")
    )
    assert facts["status"] == "interrupted"
    folder, _ = audited(*SMALL)
    assert begun == ["fold_1_of_2", "fold_2_of_2", "fold_2_of_2", "control_0.1"]
    assert json.loads((folder / "run.json").read_text())["status"] == "complete"


def test_a_second_audit_is_skipped_and_force_repeats_it(audited, outputs, capsys):
    first, _ = audited(*COUNTED)
    audited(*COUNTED)
    assert "done already" in capsys.readouterr().out
    second, _ = audited(*COUNTED, "force=true")
    assert second.name == f"{first.name}-2"
    assert len(results.read(outputs, DataAuditRow)) == 2


def test_without_classifiers_their_keys_make_no_other_run(make_job, outputs, capsys):
    """Seed, network, recipe and number format: none is read with label_noise=none."""
    words = ("audit-data", "label_noise=none", "device=cpu")
    audit_data.run(make_job(*words, "precision=fp32"))
    (folder,) = (outputs / "audit-data").glob("*/")
    capsys.readouterr()
    for more in ("seed=5", "model=resnet18", "train.epochs=9", "precision=bf16", "show_real=true"):
        audit_data.run(make_job(*words, more))
        assert f"done already: {folder}" in capsys.readouterr().out, more
    audit_data.run(make_job(*words, "zoom=true"))
    assert len([*(outputs / "audit-data").glob("*/")]) == 2


def test_the_table_shows_it(audited, outputs):
    audited(*COUNTED)
    shown = show({"audit-data": results.read(outputs, DataAuditRow)}, Choice())
    assert "faults of the real faces" in shown and "fer2013" in shown


def test_toy_faces(make_job, outputs):
    small = ("data=toy", "data.toy_train=70", "data.toy_public=35", "data.toy_private=35")
    audit_data.run(make_job("audit-data", *COUNTED, *small))
    (row,) = results.read(outputs, DataAuditRow)
    assert (row.set_name, row.set_images, row.redundant_copies) == ("toy", 140, 0)


def test_audit_data_in_two_words_names_the_command():
    assert for_hydra("audit-data", ["folds=3"]) == ["label_noise.folds=3"]
    with pytest.raises(UserError, match=r"^data: expected ferbench audit-data, a command of"):
        for_hydra("audit", ["data", "folds=3"])
    with pytest.raises(UserError, match="data: a value is needed"):
        for_hydra("classify", ["data"])


# --- wrong inputs --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("label_noise.folds=1", r"label_noise\.folds=1: expected a value from 2"),
        ("label_noise.control_flips=0.9", "expected a value from 0 to 0.5"),
        ("label_noise.bootstrap=1", "expected a value from 10"),
    ],
)
def test_wrong_values_are_one_line(make_job, word, message):
    with pytest.raises(UserError, match=message):
        make_job("audit-data", word)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("data=synthetic", "no such option of ferbench audit-data; expected one of real, toy"),
        ("data.real_limit=0.5", r"data\.real_limit: no such key of ferbench audit-data"),
        ("train.select=accuracy", "expected train.select=last"),
        ("label_noise.folds=60", r"label_noise\.folds=60: \w+ has \d+ different images"),
        ("model=resnet18", r"model\.width=4: "),
    ],
)
def test_what_cannot_be_audited_is_one_line(audited, outputs, word, message):
    given = [one for one in SMALL if one.partition("=")[0] != word.partition("=")[0]]
    with pytest.raises(UserError, match=message):
        audited(*given, word)
    assert not (outputs / "audit-data").exists()


def test_unprepared_data_is_one_line(make_job, tmp_path):
    with pytest.raises(UserError, match="FER2013 is not prepared"):
        audit_data.run(make_job("audit-data", *COUNTED, f"data.folder={tmp_path / 'nothing'}"))


def test_blank_images_are_not_judged(make_job, outputs):
    from ferbench.data import named_sets

    faces = face_set.read(outputs / "data/fer2013")
    splits = {name: part.take(np.arange(len(part))) for name, part in faces.splits.items()}
    splits["train"].images[5] = 0
    named_sets.store(faces.root, splits, {"name": "fer2013"}, near_correlation=None)
    audit_data.run(make_job("audit-data", *SMALL))
    (row,) = results.read(outputs, DataAuditRow)
    text = (outputs / row.run / "metrics.json").read_text("utf-8")
    assert (row.blank_images, json.loads(text)["labels"]["images"]) == (1, 279)
