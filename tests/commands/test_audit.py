"""`ferbench audit` from config to files, on made photographs."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from ferbench import results
from ferbench.classes import CLASSES, SPLITS
from ferbench.commands import audit, classify
from ferbench.data import face_set, named_sets, synthetic_set
from ferbench.data.face_set import Faces
from ferbench.errors import UserError
from ferbench.gan import trained
from ferbench.results.rows import AuditRow
from made import photographs

SMALL = (
    "privacy.bootstrap=20",
    "privacy.quantile=0.01",
    "privacy.control_percents=10",
    "privacy.cells=2",
)


@pytest.fixture
def outputs(tmp_path):
    """An outputs folder with 140 training and 70 + 70 held-out photographs."""
    splits = {}
    for seed, (split, per_class) in enumerate(zip(SPLITS, (20, 10, 10), strict=True)):
        labels = np.repeat(np.arange(7), per_class).astype(np.int64)
        names = np.array([f"{split}_{i:04d}" for i in range(len(labels))])
        splits[split] = Faces(photographs(len(labels), seed), labels, names)
    folder = tmp_path / "outputs" / "data" / "fer2013"
    named_sets.store(folder, splits, {"name": "fer2013"}, near_correlation=None)
    return tmp_path / "outputs"


@pytest.fixture
def train(outputs):
    return face_set.read(outputs / "data/fer2013")


@pytest.fixture
def make_set(outputs, train):
    """make_set(name, copies, facts): 105 photographs, the first ones copies of training images."""

    def make(name, copies=0, **facts):
        images = photographs(105, 50)
        images[:copies] = train.splits["train"].images[:copies]
        facts = {"data_hash": train.manifest["hashes"]["train"]} | facts
        labels = np.arange(105) % 7
        synthetic_set.write(outputs / "synth" / name, images, labels, {"generator": facts})
        return outputs / "synth" / name

    return make


@pytest.fixture
def judged(outputs, make_job):
    """A judge: a classifier of one epoch on the real faces."""
    classify.run(
        make_job(
            "classify",
            "train.epochs=1",
            "train.batch=35",
            "model.width=4",
            "logger=none",
            "precision=fp32",
            "device=cpu",
        )
    )
    return next((outputs / "classify").glob("*/"))


def audited(make_job, *words):
    audit.run(make_job("audit", "device=cpu", "precision=fp32", *SMALL, *words))


def the_run(outputs):
    (file,) = (outputs / "audit").glob("*/run.json")
    return file.parent, json.loads(file.read_text("utf-8"))


def test_copies_are_reported(outputs, make_job, make_set, report_figures, capsys):
    made = make_set("leaky", copies=20)
    audited(make_job, f"set={made}", "judge=none")
    folder, facts = the_run(outputs)
    assert facts["status"] == "complete"
    (row,) = results.read(outputs, AuditRow)
    assert (row.verdict, row.identical_copies, row.near_copies) == ("copies", 20, 20)
    assert row.run == f"audit/{folder.name}"
    printed = capsys.readouterr().out
    assert "verdict: copies" in printed
    text = (folder / "report.md").read_text("utf-8").replace("\\", "")
    assert "20 of its 105 images are copies of training images" in text
    assert "Detection limit" in text
    assert "no proof of privacy" in text
    numbers = json.loads((folder / "metrics.json").read_text("utf-8"))
    assert [one["image"] for one in numbers["copies"]] == list(range(20))
    assert numbers["copies"][3]["training_image"] == "train_0003"


def test_the_newest_set_is_taken_and_a_clean_one_passes(outputs, make_job, make_set, capsys):
    made = make_set("clean")
    audited(make_job, "judge=none")
    assert f"set={made} (the newest)" in capsys.readouterr().out
    (row,) = results.read(outputs, AuditRow)
    assert (row.verdict, row.flags, row.near_copies) == ("nothing found", 0, 0)
    assert row.discriminator_auc is None


def test_real_faces_are_shown_on_demand_alone(outputs, make_job, make_set, report_figures):
    make_set("leaky", copies=10)
    audited(make_job, "judge=none")
    hidden, _ = the_run(outputs)
    assert {path.name for path in hidden.glob("*.png")} == {"roc.png", "distances.png"}
    page = (hidden / "report.html").read_text("utf-8")
    assert page.count("data:image/png") == 2
    audited(make_job, "judge=none", "show_real=true")
    shown = [path for path in (outputs / "audit").glob("*/neighbors.png")]
    assert len(shown) == 1 and shown[0].parent != hidden


def test_judge_discriminator_and_inversion(outputs, make_job, make_set, make_generator, judged):
    path = make_generator(outputs / "g.safetensors")
    sha256 = trained.load(path, device=torch.device("cpu")).sha256
    make_set("one", source=str(path), sha256=sha256, kimg=12)
    audited(
        make_job,
        "inversion.images=20",
        "inversion.steps=2",
        "inversion.loss=judge",
        "inversion.batch=40",
    )
    (row,) = results.read(outputs, AuditRow)
    assert row.judge_name == judged.name
    assert row.kimg == 12
    assert 0 <= row.discriminator_auc <= 1 and 0 <= row.inversion_auc <= 1
    folder, facts = the_run(outputs)
    assert facts["inputs"]["generator"] == sha256
    attacks = json.loads((folder / "metrics.json").read_text("utf-8"))["attacks"]
    found = {(one["attack"], one["space"]): one["overall"] for one in attacks}
    assert found["discriminator", "its score"]["members"] == 140
    assert found["inversion", "judge"]["members"] == found["inversion", "judge"]["others"] == 20
    assert ("membership", "judge") in found
    assert row.warnings.startswith(f"judge {judged.name} cannot be trusted: ")
    report = (folder / "report.md").read_text("utf-8").replace("\\", "")
    assert report.index("Warning: judge ") < report.index("What was compared")


def test_another_generator_than_the_set_s_is_not_asked(
    outputs, make_job, make_set, make_generator, capsys
):
    make_set("one", source=str(make_generator(outputs / "g.safetensors")), sha256="0" * 64)
    audited(make_job, "judge=none")
    assert "not the generator of this set any more" in capsys.readouterr().out
    (row,) = results.read(outputs, AuditRow)
    assert row.discriminator_auc is None


def test_a_second_audit_is_skipped_and_force_repeats_it(outputs, make_job, make_set, capsys):
    make_set("one")
    audited(make_job, "judge=none")
    audited(make_job, "judge=none")
    assert "done already" in capsys.readouterr().out
    audited(make_job, "judge=none", "force=true")
    first, second = results.read(outputs, AuditRow)
    assert second.run == f"{first.run}-2"
    assert (second.membership_auc, second.verdict) == (first.membership_auc, first.verdict)
    assert second.cell == first.cell


def test_a_set_of_another_size_is_resized_and_said_so(outputs, make_job, train, capsys):
    images = np.kron(photographs(105, 60), np.ones((1, 2, 2), np.uint8))
    facts = {"generator": {"data_hash": train.manifest["hashes"]["train"]}}
    synthetic_set.write(outputs / "synth/big", images, np.arange(105) % 7, facts)
    audited(make_job, "judge=none")
    printed = capsys.readouterr().out
    assert printed.count("have 96 x 96 pixels; they are resized to 48 x 48") == 1
    assert printed.count("resized") == 1  # once on the terminal, once in the report
    text = (the_run(outputs)[0] / "report.md").read_text("utf-8")
    assert text.count("The set's images have 96 pixels a side; they were resized to 48.") == 1


def test_folders_of_another_generator_are_a_set(outputs, make_job, train, tmp_path, capsys):
    """Nobody knows their generator: what needs it is left out, and that is said."""
    for i, image in enumerate(photographs(105, 60)):
        folder = tmp_path / "theirs" / CLASSES[i % 7]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{i:04d}.png")
    audited(make_job, "judge=none", f"set={tmp_path / 'theirs'}")
    printed = capsys.readouterr().out
    assert "note: The set does not say what its generator learned from; it is taken" in printed
    assert (
        "note: The generator is not there, so the attack on its discriminator is left out.\n"
        in printed
    )
    (row,) = results.read(outputs, AuditRow)
    want = synthetic_set.content_hash(photographs(105, 60), np.arange(105) % 7)
    assert (row.set_name, row.set_hash, row.generator) == ("theirs", want, None)
    assert row.set_images == 105
    words = (f"set={tmp_path / 'theirs'}", "inversion.images=50")
    with pytest.raises(UserError, match=r"inversion\.images=50: needs the generator \(The gen"):
        audited(make_job, "judge=none", *words)


def test_how_alike_the_real_images_are_is_computed_once(outputs, make_job, make_set, monkeypatch):
    make_set("one")
    audited(make_job, "judge=none")
    monkeypatch.setattr("ferbench.privacy.real.partners", None)
    audited(make_job, "judge=none", "seed=1")
    assert len(results.read(outputs, AuditRow)) == 2


# --- wrong inputs --------------------------------------------------------------------------------


def test_no_judge_is_one_line(make_job, make_set):
    make_set("one")
    with pytest.raises(UserError, match=r"judge=auto: no run of a classifier .* judge=none does"):
        audited(make_job)


def test_no_set_is_one_line(outputs, make_job):
    with pytest.raises(UserError, match="no synthetic set here"):
        audited(make_job, "judge=none")


def test_too_few_images_are_one_line(outputs, make_job):
    root = outputs / "synth/few"
    synthetic_set.write(root, photographs(30, 1), np.arange(30) % 7, {})
    with pytest.raises(UserError, match="30 images; an audit needs 100"):
        audited(make_job, "judge=none")


def test_a_generator_of_other_faces_is_one_line(make_job, make_set):
    make_set("other", data_hash="f" * 64)
    with pytest.raises(UserError, match="its generator learned from other faces"):
        audited(make_job, "judge=none")


def test_inversion_needs_the_generator(make_job, make_set):
    make_set("one")
    with pytest.raises(UserError, match=r"inversion\.images=50: needs the generator"):
        audited(make_job, "judge=none", "inversion.images=50")


def test_a_generator_of_other_classes_is_one_line(outputs, make_job, make_set, make_generator):
    make_set("one")
    path = make_generator(outputs / "g.safetensors", classes=("cat", "dog"))
    with pytest.raises(UserError, match="learned from other faces than data=real"):
        audited(make_job, "judge=none", f"gan.path={path}")


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("privacy.control_percents=1,x", "expected numbers with commas"),
        ("privacy.control_percents=1,90", "at most 50"),
        ("privacy.drop_correlation=0.97", "expected a value from 0.8 to 0.95"),
        ("privacy.alpha=1", "expected a value"),
        ("inversion.images=5", "expected at least 20"),
        ("inversion.loss=x", "unknown"),
    ],
)
def test_wrong_values_are_one_line(make_job, word, message):
    key, value = word.split("=")
    with pytest.raises(UserError, match=message):
        make_job("audit", f"{key}='{value}'" if "," in value else word)
