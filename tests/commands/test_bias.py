"""`ferbench bias` from config to files, on made faces, sets and predictions."""

import json
import shlex
from dataclasses import asdict

import numpy as np
import pytest

from ferbench import results
from ferbench.bias import figures as pictures
from ferbench.bias import numbers
from ferbench.classes import CLASSES
from ferbench.cli.arguments import for_hydra
from ferbench.commands import bias, bias_inputs
from ferbench.data import face_set, named_sets, synthetic_set
from ferbench.errors import UserError
from ferbench.results.rows import BiasRow
from ferbench.results.show import Choice, show

FAST = ("bootstrap=40",)


@pytest.fixture
def looked(make_job, outputs):
    """looked(word, ...): run the command without figures; its folder and its row."""

    def look(*words, figures=False):
        with pytest.MonkeyPatch.context() as patch:
            if not figures:
                patch.setattr(pictures, "draw", lambda *args: [])
            bias.run(make_job("bias", *FAST, *words))
        row = results.read(outputs, BiasRow)[-1]
        return outputs / row.run, row

    return look


@pytest.fixture
def made_set(outputs):
    """A synthetic set of real training images, 12 a class, with classes 0 to 6 ever brighter."""
    train = face_set.read(outputs / "data/fer2013").splits["train"]
    rows = np.concatenate([np.flatnonzero(train.labels == k)[:12] for k in range(7)])
    labels = np.array(train.labels[rows])
    images = train.images[rows] // 2 + (15 * labels).astype(np.uint8)[:, None, None]
    root = outputs / "synth" / "made"
    synthetic_set.write(root, images, labels, {"generator": {"data": "real"}})
    return root


@pytest.fixture
def trained(outputs, make_row):
    """A run of classify that is right on all but the darker half of the private images."""
    faces = face_set.read(outputs / "data/fer2013")
    tested, clean, test_hash = named_sets.test_faces(faces, "private")
    level = tested.images.mean(axis=(1, 2))
    called = np.where(level < np.median(level), (tested.labels + 1) % 7, tested.labels)
    run = outputs / "classify" / "cnn_real_s0"
    run.mkdir(parents=True)
    row = make_row(run="classify/cnn_real_s0", test_hash=test_hash)
    facts = {"command": "classify", "status": "complete", "row": asdict(row)}
    (run / "run.json").write_text(json.dumps(facts))
    np.savez(
        run / bias_inputs.PREDICTIONS,
        names=tested.names,
        labels=tested.labels,
        logits=np.eye(7, dtype=np.float32)[called],
        clean=clean,
    )
    return run


def metrics(folder):
    return json.loads((folder / "metrics.json").read_text("utf-8"))


# --- sets ----------------------------------------------------------------------------------------


def test_a_planted_bias_of_a_set_is_found_and_reported(looked, made_set, report_figures, capsys):
    folder, row = looked(f"set={made_set}", figures=True)
    assert (row.command, row.set_name, row.set_images) == ("bias", "made", 84)
    assert (row.class_ratio, row.class_difference, row.classifier) == (1, 0, None)
    assert row.association_of == row.amplification_of == "brightness"
    assert row.association > 0.9 and row.amplification_low > 0
    assert row.attribute_js > row.attribute_js_floor
    assert row.accuracy_gap is row.recall_gap is row.odds_gap is None
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "config.yaml",
        "run.json",
        "metrics.json",
        "report.md",
        "report.html",
        "attributes.png",
        "association.png",
        ".lock",
    }
    page = (folder / "report.html").read_text("utf-8")
    assert page.count("data:image/png") == 2 and "η²" in page
    printed = capsys.readouterr().out
    assert "class and brightness are associated more strongly than in the real images" in printed
    assert "`data.normalize=source`" in printed


def test_numbers_of_the_file_and_the_row_agree(looked, made_set):
    folder, row = looked(f"set={made_set}")
    found = metrics(folder)
    brightness = found["attributes"]["brightness"]
    assert brightness["amplification"]["value"] == row.amplification
    assert brightness["association"]["value"] == row.association
    assert found["attributes"][row.attribute_js_of]["js_distance"] == row.attribute_js
    assert np.sum(list(brightness["counts"].values())) == 84
    assert found["groups"] == {} and found["blank"] == 0


def test_real_splits(looked):
    """Public is compared with Training; Training itself with nothing."""
    _, public = looked("set=public")
    assert (public.set_name, public.class_difference) == ("fer2013_public", 0)
    assert public.amplification is not None
    folder, train = looked("set=train")
    assert train.amplification is train.attribute_js is None
    assert train.association is not None
    assert "nothing to compare with" in (folder / "report.md").read_text("utf-8")


def test_the_newest_set_is_taken(looked, made_set, capsys):
    _, row = looked()
    assert row.set_name == "made" and f"set={made_set} (the newest)" in capsys.readouterr().out


def test_sets_of_another_size_are_resized(looked, outputs):
    root = outputs / "synth" / "large"
    images = np.random.default_rng(0).integers(0, 255, (70, 64, 64), dtype=np.uint8)
    synthetic_set.write(root, images, np.arange(70) % 7, {})
    assert looked(f"set={root}")[1].set_images == 70


def test_toy_faces(looked):
    small = ("data=toy", "data.toy_train=70", "data.toy_public=35", "data.toy_private=35")
    _, row = looked("set=private", *small)
    assert (row.data, row.set_name, row.set_images) == ("toy", "toy_private", 35)


# --- classifiers ---------------------------------------------------------------------------------


def test_gaps_of_a_classifier_that_fails_in_the_dark(looked, trained, report_figures, capsys):
    """All of the brighter half is right and nothing of the darker: a gap of 1."""
    folder, row = looked(f"run={trained}", "quantiles=2", "min_count=10", figures=True)
    assert (row.classifier, row.set_name) == ("classify/cnn_real_s0", "fer2013_private")
    assert row.accuracy_gap_of == "brightness" and row.accuracy_gap > 0.7
    assert row.accuracy_gap > row.accuracy_gap_chance
    assert row.accuracy_gap_low <= row.accuracy_gap <= row.accuracy_gap_high
    assert "accuracy differs by" in capsys.readouterr().out
    names = {path.name for path in folder.glob("*.png")}
    assert names == {"attributes.png", "association.png", "groups.png", "gaps.png"}
    groups = metrics(folder)["groups"]["brightness"]
    assert sum(groups["images"]) == 70
    assert groups["gaps"]["accuracy_gap"]["value"] == row.accuracy_gap
    text = (folder / "report.md").read_text("utf-8")
    assert "The classifier, group by group" in text and "train.augment.brightness" in text


def test_small_groups_are_too_few_to_say(looked, trained):
    """10 images of each class: no group has 30 of one, so no recall has a gap."""
    folder, row = looked(f"run={trained}")
    assert row.recall_gap is row.odds_gap is None
    assert "too few to say" in (folder / "report.md").read_text("utf-8")


def test_groups_of_a_file(looked, trained, outputs, report_figures, tmp_path):
    """Group b is the one that the classifier fails on; half of the images are in the file."""
    with np.load(trained / bias_inputs.PREDICTIONS) as file:
        names, right = file["names"], file["labels"] == file["logits"].argmax(axis=1)
    path = tmp_path / "ages.csv"
    lines = [f"{n},{'a' if r else 'b'}" for n, r in zip(names, right, strict=True)]
    path.write_text("\n".join(["name,age_group", *lines[::2]]) + "\n")
    folder, row = looked(f"run={trained}", f"attributes={path}", "min_count=5", figures=True)
    assert (row.accuracy_gap, row.accuracy_gap_of) == (1, "age_group")
    found = metrics(folder)["attributes"]["age_group"]
    assert found["measure"] == "Cramer's V" and found["amplification"] is None
    assert len(row.attributes_hash) == 16
    text = (folder / "report.md").read_text("utf-8")
    assert "age\\_group and class" in text and "pointwise mutual information" in text


# --- again ---------------------------------------------------------------------------------------


def test_a_second_look_is_skipped_and_force_repeats_it(looked, made_set, outputs, capsys):
    first, one = looked(f"set={made_set}")
    looked(f"set={made_set}")
    assert f"done already: {first}" in capsys.readouterr().out
    second, two = looked(f"set={made_set}", "force=true")
    assert second.name == f"{first.name}-2"
    assert one.amplification_low == two.amplification_low
    other, _ = looked(f"set={made_set}", "seed=1")
    assert other.name not in (first.name, second.name)
    assert len(results.read(outputs, BiasRow)) == 3


def test_the_report_s_command_gives_the_same(looked, trained, make_job, capsys):
    folder, _ = looked(f"run={trained}", "quantiles=3")
    (line,) = (
        one
        for one in (folder / "report.md").read_text("utf-8").splitlines()
        if one.startswith("ferbench bias ")
    )
    bias.run(make_job("bias", *for_hydra("bias", shlex.split(line)[2:])))
    assert f"done already: {folder}" in capsys.readouterr().out


def test_the_table_shows_it(looked, trained, outputs):
    looked(f"run={trained}")
    shown = show({"bias": results.read(outputs, BiasRow)}, Choice())
    assert "bias, against the Training split" in shown and "fer2013_private" in shown


def test_every_gap_has_its_columns(looked, trained):
    _, row = looked(f"run={trained}", "min_count=2")
    for name in numbers.GAPS:
        assert all(
            getattr(row, f"{name}{end}") is not None
            for end in ("", "_low", "_high", "_chance", "_of")
        ), name


# --- wrong inputs --------------------------------------------------------------------------------


def test_both_a_set_and_a_run_are_refused(make_job):
    with pytest.raises(UserError, match=r"set=x: run=y is examined on its own test split"):
        make_job("bias", "set=x", "run=y")


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("quantiles=1", "quantiles=1: expected a value from 2 to 20"),
        ("min_count=1", "min_count=1: expected at least 2"),
        ("bootstrap=3", "bootstrap=3: expected a value from 10"),
    ],
)
def test_wrong_values_are_one_line(make_job, word, message):
    with pytest.raises(UserError, match=message):
        make_job("bias", word)


def test_a_set_without_a_manifest_is_one_line(looked, made_set, tmp_path):
    (made_set / synthetic_set.MANIFEST).unlink()
    with pytest.raises(UserError, match=f"set={made_set}: "):
        looked(f"set={made_set}")
    with pytest.raises(UserError, match=f"set={tmp_path / 'no'}: no such folder"):
        looked(f"set={tmp_path / 'no'}")


def test_missing_classes_are_named(looked, outputs):
    root = outputs / "synth" / "few"
    labels = np.array([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5])
    synthetic_set.write(root, np.zeros((11, 48, 48), np.uint8), labels, {})
    with pytest.raises(UserError, match=r"set=.*few: too few images \(surprise 1, neutral 0\)"):
        looked(f"set={root}")


def test_blank_sets_are_refused(looked, outputs):
    root = outputs / "synth" / "blank"
    synthetic_set.write(root, np.zeros((70, 48, 48), np.uint8), np.arange(70) % 7, {})
    with pytest.raises(UserError, match="all images are blank"):
        looked(f"set={root}")


def test_runs_that_cannot_be_read_are_one_line(looked, trained, outputs):
    with pytest.raises(UserError, match=r"run=.*: expected the folder of a complete run"):
        looked(f"run={outputs}")
    whole = (trained / bias_inputs.PREDICTIONS).read_bytes()
    (trained / bias_inputs.PREDICTIONS).write_bytes(whole[:200])
    with pytest.raises(UserError, match=r"run=.*predictions.npz cannot be read"):
        looked(f"run={trained}")
    (trained / bias_inputs.PREDICTIONS).unlink()
    with pytest.raises(UserError, match=r"predictions.npz cannot be read \(FileNotFoundError"):
        looked(f"run={trained}")


def test_predictions_of_other_images_are_refused(looked, trained):
    with np.load(trained / bias_inputs.PREDICTIONS) as file:
        parts = dict(file)
    np.savez(trained / bias_inputs.PREDICTIONS, **(parts | {"names": parts["names"][::-1]}))
    with pytest.raises(UserError, match="is not of the test split's images"):
        looked(f"run={trained}")
    facts = json.loads((trained / "run.json").read_text())
    facts["row"]["test_hash"] = "of other images"
    (trained / "run.json").write_text(json.dumps(facts))
    with pytest.raises(UserError, match="was tested on other images than those of data=real"):
        looked(f"run={trained}")


def test_attributes_that_match_nothing_leave_no_folder(looked, made_set, outputs, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("name,sex\nnobody,f\n")
    with pytest.raises(UserError, match=r"0 of its 1 names are among the 84 images"):
        looked(f"set={made_set}", f"attributes={path}")
    path.write_text("image,sex\n0,f\n")
    with pytest.raises(UserError, match="no column `name`"):
        looked(f"set={made_set}", f"attributes={path}")
    assert not (outputs / "bias").exists()


def test_other_data_is_refused(looked):
    with pytest.raises(UserError, match="no such option of ferbench bias; expected one of real"):
        looked("set=public", "data=synthetic")


def test_every_class_has_its_line(looked, made_set):
    text = (looked(f"set={made_set}")[0] / "report.md").read_text("utf-8")
    assert all(f"| {name} | 12 | 14.3 | 20 | 14.3 |" in text for name in CLASSES)
