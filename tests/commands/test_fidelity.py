"""`ferbench fidelity` on made faces: what it leaves, what it skips, and every line of refusal."""

import json
from dataclasses import asdict

import numpy as np
import pytest
import torch
import yaml

from ferbench import results
from ferbench.classes import CLASSES
from ferbench.classifiers.judge import Description, Judge
from ferbench.commands import fidelity, fidelity_inputs, inputs, judges, table
from ferbench.data import face_set, synthetic_set
from ferbench.errors import UserError
from ferbench.fidelity import figures as fidelity_figures
from ferbench.fidelity import inception
from ferbench.models import NetworkOptions, build
from ferbench.results.rows import FidelityRow
from ferbench.runs import Compute, checkpoint
from ferbench.runs.precision import Precision

TRAIN = (
    "model.width=4",
    "train.epochs=2",
    "train.batch=16",
    "train.warmup_epochs=0",
    "logger=none",
    "train.ema_decay=0.5",
    "device=cpu",
    "precision=fp32",
)
FAST = ("device=cpu", "precision=fp32", "metrics.kid_subsets=3")
NAMES = {
    "config.yaml",
    "run.json",
    "metrics.json",
    "report.md",
    "report.html",
    "classes.png",
    "confusion.png",
    "components.png",
    "map.png",
    ".lock",
}


@pytest.fixture
def add_judge(outputs, make_row):
    """add_judge(seed, public, **columns): the run of a small untrained network, as classify ends.

    public: its accuracy on PublicTest in the kept epoch, the first of two.
    """
    data_hash = face_set.read(outputs / "data" / "fer2013").manifest["hashes"]["train"]

    def add(seed=0, public=0.3, **columns):
        torch.manual_seed(seed)
        config = {
            "name": "cnn",
            "stem": "small",
            "input_px": 48,
            "pretrained": "none",
            "tune": "all",
            "dropout": 0.3,
            "width": 4,
        }
        run = outputs / "classify" / f"cnn_real_s{seed}"
        run.mkdir(parents=True)
        row = make_row(run=f"classify/{run.name}", data_hash=data_hash, best_epoch=1)
        facts = {"command": "classify", "status": "complete", "row": asdict(row) | columns}
        (run / "run.json").write_text(json.dumps(facts))
        (run / "config.yaml").write_text(yaml.safe_dump({"model": config, "older": 1}))
        checkpoint.save_weights(
            run / inputs.WEIGHTS, build(NetworkOptions(**config), classes=7).state_dict()
        )
        lines = [{"epoch": e, "public_accuracy": a} for e, a in ((1, public), (2, 0.9))]
        (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        return run

    return add


@pytest.fixture
def judged(outputs, add_judge):
    """The made faces with a classifier to judge by."""
    add_judge()
    return outputs


@pytest.fixture
def made_set(outputs):
    """A synthetic set: real training images with some noise, 12 a class."""
    train = face_set.read(outputs / "data" / "fer2013").splits["train"]
    rng = np.random.default_rng(0)
    rows = np.concatenate([np.flatnonzero(train.labels == k)[:12] for k in range(7)])
    images = train.images[rows] // 2 + rng.integers(0, 120, (84, 48, 48)).astype(np.uint8)
    generator = {"sha256": "ab12", "kimg": 40, "data": "real", "source": "somewhere"}
    root = outputs / "synth" / "made"
    synthetic_set.write(root, images, train.labels[rows], {"generator": generator})
    return root


def measure(make_job, *overrides, figures=False):
    """Run the command; figures are drawn where asked for, because they take the longest."""
    with pytest.MonkeyPatch.context() as patch:
        if not figures:
            patch.setattr(fidelity_figures, "draw", lambda *args, **options: [])
        fidelity.run(make_job("fidelity", *FAST, *overrides))


def run_of(job):
    compute = Compute(torch.device("cpu"), Precision("fp32", "cpu"))
    return fidelity.run_of(job, fidelity_inputs.open_all(job, compute, least=1), compute)


def folders(outputs):
    return sorted((outputs / "fidelity").iterdir())


def rows_of(outputs):
    return results.read(outputs, FidelityRow)


# --- what it leaves ------------------------------------------------------------------------------


def test_a_run_leaves_report_figures_numbers_and_a_row(
    outputs, finished, made_set, make_job, report_figures, capsys
):
    """With a judge that `ferbench classify` trained."""
    finished("classify", *TRAIN)
    measure(make_job, f"set={made_set}", figures=True)
    (folder,), (row,) = folders(outputs), rows_of(outputs)
    assert {path.name for path in folder.iterdir()} == NAMES
    assert row.run == f"fidelity/{folder.name}"
    assert (row.set_name, row.set_images, row.reference, row.reference_images) == (
        "made",
        84,
        "fer2013_train",
        140,
    )
    assert (row.generator, row.kimg, row.features, row.floor_images) == ("ab12", 40, "fer", 70)
    assert row.features_name.startswith("cnn_real_s0")
    assert 0 <= row.gate_accuracy <= 1
    assert row.path_length is row.trained_accuracy is None
    printed = capsys.readouterr().out
    assert "set, n=84" in printed and "floor, n=70" in printed and "gate" in printed
    assert json.loads((folder / "run.json").read_text())["status"] == "complete"
    assert yaml.safe_load((folder / "config.yaml").read_text())["set"] == str(made_set)


def test_the_numbers_files_and_row_agree(judged, made_set, make_job):
    measure(make_job, f"set={made_set}")
    (folder,), (row,) = folders(judged), rows_of(judged)
    found = json.loads((folder / "metrics.json").read_text())
    assert found["set"]["overall"]["fid"] == row.fid
    assert found["matched"]["overall"]["fid"] == row.fid_matched
    assert found["floor"]["overall"]["kid"] == row.kid_floor
    assert found["set"]["classes"]["disgust"]["kid"] == row.kid_disgust
    gate = np.array(found["set"]["gate_confusion"])
    assert gate.sum(axis=1).tolist() == [12] * 7
    assert np.trace(gate) / 84 == row.gate_accuracy
    assert gate[3, 3] / 12 == row.gate_happy
    spread = [
        found["set"]["classes"][c]["diversity"] / found["reference"]["diversity"][c]
        for c in CLASSES
    ]
    assert row.diversity == pytest.approx(np.mean(spread))
    assert row.diversity_least == pytest.approx(min(spread))
    report = (folder / "report.md").read_text()
    assert f"ferbench fidelity set={made_set}" in report
    assert "`made`, 84 images" in report


def test_matched_and_floor_have_equal_classes(judged, made_set, make_job):
    """The floor has 10 of each class and the set 12: 10 are taken."""
    measure(make_job, f"set={made_set}")
    found = json.loads((folders(judged)[0] / "metrics.json").read_text())
    for side, want in (("set", 12), ("matched", 10), ("floor", 10)):
        assert {v["images"] for v in found[side]["classes"].values()} == {want}


def test_the_training_split_is_no_distance_from_itself(judged, make_job):
    measure(make_job, "set=train")
    (row,) = rows_of(judged)
    assert row.fid == pytest.approx(0, abs=1e-5)
    assert row.fid_intra == pytest.approx(0, abs=1e-5)
    assert row.precision_knn == row.recall_knn == row.coverage == 1
    assert row.diversity == pytest.approx(1)
    assert row.set_name == "fer2013_train"


def test_the_public_split_gets_the_floor(judged, make_job):
    """No copies in these made faces: set, matched and floor are the same images."""
    measure(make_job, "set=public")
    (row,) = rows_of(judged)
    assert row.fid == pytest.approx(row.fid_floor, rel=1e-6)
    assert row.fid == pytest.approx(row.fid_matched, rel=1e-6)
    assert row.gate_accuracy == row.gate_floor


def test_the_feature_space_has_a_distance(judged, made_set, make_job):
    """The Training split is at 0 from itself as a whole, and the row has the matched part's."""
    measure(make_job, "set=train")
    found = json.loads((folders(judged)[0] / "metrics.json").read_text())
    assert found["set"]["js_distance"]["overall"] == 0
    (row,) = rows_of(judged)
    assert row.js_distance == found["matched"]["js_distance"]["overall"] > 0
    assert row.js_floor == found["floor"]["js_distance"]["overall"]
    assert set(found["floor"]["js_distance"]["classes"]) == set(CLASSES)
    assert "Jensen-Shannon distance" in (folders(judged)[0] / "report.md").read_text()


@pytest.mark.parametrize(("word", "pictures"), [("none", set()), ("pca", {"components.png"})])
def test_maps_can_be_left_out(judged, made_set, make_job, report_figures, word, pictures):
    measure(make_job, f"set={made_set}", f"map={word}", figures=True)
    names = {path.name for path in folders(judged)[0].glob("*.png")}
    assert names - {"classes.png", "confusion.png"} == pictures


def test_umap_without_its_package_is_one_line(judged, made_set, make_job, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"map=umap: the package umap-learn is not installed"):
        measure(make_job, f"set={made_set}", "map=umap")
    assert not (judged / "fidelity").exists()


def test_copies_of_training_images_are_not_in_the_floor(judged, make_job, monkeypatch):
    read = inputs.open_faces

    def with_copies(*args):
        faces = read(*args)
        clean = faces.extras["clean_public"].copy()
        clean[:2] = False
        return face_set.FaceSet(
            faces.root, faces.splits, faces.manifest, {**faces.extras, "clean_public": clean}
        )

    monkeypatch.setattr(inputs, "open_faces", with_copies)
    measure(make_job, "set=train")
    assert rows_of(judged)[0].floor_images == 68


def test_the_batch_plays_no_part(judged, made_set, make_job):
    measure(make_job, f"set={made_set}", "name=one")
    measure(make_job, f"set={made_set}", "name=other", "batch=5")
    one, other = rows_of(judged)
    assert one.cell == other.cell
    assert one.fid == pytest.approx(other.fid, rel=1e-4)
    assert one.kid == pytest.approx(other.kid, rel=1e-4)
    assert (one.precision_knn, one.gate_accuracy) == (other.precision_knn, other.gate_accuracy)


def test_path_length_of_a_generator(judged, made_set, make_job, make_generator, tmp_path):
    path = make_generator(tmp_path / "g.safetensors")
    measure(make_job, f"set={made_set}", f"gan.path={path}", "path_pairs=100")
    (row,) = rows_of(judged)
    assert row.path_length > 0
    assert "perceptual path length" in (folders(judged)[0] / "report.md").read_text()


def test_classifiers_that_learned_from_the_set_are_named(judged, made_set, make_job, make_row):
    """Trained on all of it and nothing else, scored on PrivateTest by the run that trained them."""
    own = {
        "data_hash": synthetic_set.read(made_set).manifest["hash"],
        "train_images": 84,
        "synthetic_images": 84,
    }
    rows = (
        own | {"accuracy": 0.31},
        own | {"accuracy": 0.33, "seed": 1},
        own | {"accuracy": 0.9, "test_split": "public"},
        own | {"accuracy": 0.9, "command": "evaluate"},
        own | {"accuracy": 0.9, "data_hash": "of other images"},
        own | {"accuracy": 0.9, "train_images": 224},
        own | {"accuracy": 0.9, "pretrained": "run:cnn_real_s0_1a2b3c4d"},
    )
    for number, columns in enumerate(rows):
        results.append(judged, make_row(run=f"classify/of_it_{number}", **columns))
    measure(make_job, f"set={made_set}")
    assert rows_of(judged)[0].trained_accuracy == pytest.approx(0.32)
    report = (folders(judged)[0] / "report.md").read_text()
    assert "Classifiers trained on this set" in report
    assert "| 0.310 |" in report and "0.900" not in report


# --- what it skips -------------------------------------------------------------------------------


def test_the_newest_set_is_taken_and_named(judged, made_set, make_job, capsys):
    measure(make_job)
    assert f"set={made_set} (the newest)" in capsys.readouterr().out
    assert rows_of(judged)[0].set_name == "made"


def test_a_second_run_is_skipped_and_a_lost_row_comes_back(judged, made_set, make_job, capsys):
    measure(make_job, f"set={made_set}")
    rows = rows_of(judged)
    (judged / "fidelity.csv").unlink()
    measure(make_job, f"set={made_set}")
    assert "done already" in capsys.readouterr().out
    assert rows_of(judged) == rows
    measure(make_job, f"set={made_set}", "force=true")
    first, second = rows_of(judged)
    assert second.run == f"{first.run}-2"
    assert (first.fid, first.kid, first.cell) == (second.fid, second.kid, second.cell)


def test_features_of_the_reference_are_kept(judged, made_set, make_job, monkeypatch):
    """The second set needs its own images and the floor's alone, and gets the same numbers."""
    seen = []
    describe = Judge.describe
    monkeypatch.setattr(
        Judge, "describe", lambda self, x, **k: (seen.append(len(x)), describe(self, x, **k))[1]
    )
    for name in ("one", "two"):
        measure(make_job, f"set={made_set}", f"name={name}")
    assert seen == [140, 84, 70, 84, 70]
    one, two = rows_of(judged)
    assert (one.fid, one.kid, one.recall_knn) == (two.fid, two.kid, two.recall_knn)
    measure(make_job, f"set={made_set}", "name=three", "precision=bf16")
    assert seen[5:] == [140, 84, 70]


def test_the_folder_goes_by_content_and_settings(judged, made_set, make_job):
    moved = made_set.rename(made_set.with_name("moved"))
    identities = []
    for overrides in ([], ["batch=3", "name=x"], ["metrics.neighbors=2"], ["seed=1"]):
        job = make_job("fidelity", f"set={moved}", *overrides)
        identities.append(run_of(job).identity)
    same, also, neighbors, seed = identities
    assert same == also
    assert len({json.dumps(one) for one in (same, neighbors, seed)}) == 3


def test_another_picture_is_another_folder_of_the_same_cell(judged, made_set, make_job):
    plain = run_of(make_job("fidelity", f"set={made_set}"))
    pca = run_of(make_job("fidelity", f"set={made_set}", "map=pca"))
    assert {key for key in pca.identity if pca.identity[key] != plain.identity[key]} == {"map"}
    assert pca.cell == plain.cell


def test_n_takes_some_of_the_images(judged, made_set, make_job):
    measure(make_job, "set=train", "n=139")
    assert rows_of(judged)[0].set_images == 139
    with pytest.raises(UserError, match="n=85: the set has 84 images"):
        measure(make_job, f"set={made_set}", "n=85")


def test_the_table_shows_both_kinds_apart(judged, made_set, make_job, make_row, capsys):
    results.append(judged, make_row())
    measure(make_job, f"set={made_set}")
    capsys.readouterr()
    table.run(make_job("table", "kind=all"))
    both = capsys.readouterr().out
    assert "fer2013, private split" in both and "fidelity, features of cnn_real" in both
    table.run(make_job("table", "kind=fidelity"))
    assert "private split" not in capsys.readouterr().out
    table.run(make_job("table"))
    own = capsys.readouterr().out
    assert "private split" in own and own.splitlines()[-1] == "more tables: kind=fidelity"


# --- judges and features -------------------------------------------------------------------------


def test_without_a_judge_one_line_says_how_to_get_one(outputs, made_set, make_job):
    with pytest.raises(UserError, match=r"judge=auto: no run .* `ferbench classify model=cnn "):
        measure(make_job, f"set={made_set}")


def test_the_best_on_public_is_the_judge(outputs, add_judge):
    """Of runs on just this training split, by the accuracy of the epoch that was kept."""
    data_hash = face_set.read(outputs / "data" / "fer2013").manifest["hashes"]["train"]
    assert judges.find(outputs, data_hash) is None
    _, best, second = (add_judge(seed, public) for seed, public in enumerate((0.3, 0.5, 0.4)))
    add_judge(3, 0.99, data_hash="another")
    add_judge(4, 0.99, synthetic_images=5)
    add_judge(5, 0.99, pretrained="run:cnn_synthetic_s0_1a2b3c4d")
    assert judges.find(outputs, data_hash) == best
    (best / inputs.WEIGHTS).unlink()
    assert judges.find(outputs, data_hash) == second


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({"data_hash": "other"}, "learned from other faces; expected a run on the Training split"),
        ({"synthetic_images": 5}, "learned from synthetic faces; expected a run on real ones"),
        ({"pretrained": "run:x"}, "started from the weights of run:x; expected a run that lea"),
    ],
)
def test_a_judge_that_learned_from_other_faces_is_refused(add_judge, make_job, column, message):
    run = add_judge(**column)
    with pytest.raises(UserError, match=f"judge={run}: {message}"):
        measure(make_job, "set=public", f"judge={run}")
    with pytest.raises(UserError, match=r"judge=.*: expected the folder of a complete run"):
        measure(make_job, "set=public", f"judge={run.parent}")


class FakeInception:
    """Features that no judge has: means of rows and columns."""

    name, hash = "inception", "f" * 64

    def describe(self, images, *, batch, what=""):
        rows = images.mean(axis=2, dtype=np.float32)
        return Description(rows, rows[:, :10])


def test_inception_features_with_and_without_a_judge(
    outputs, add_judge, make_job, report_figures, monkeypatch, capsys
):
    monkeypatch.setattr(inception, "load", lambda weights, device: FakeInception())
    measure(make_job, "set=public", "features=inception", figures=True)
    assert "class accuracy is left out" in capsys.readouterr().out
    assert not (folders(outputs)[0] / "confusion.png").exists()
    add_judge()
    measure(make_job, "set=public", "features=inception")
    without, judged = rows_of(outputs)
    assert without.gate_accuracy is None
    assert judged.gate_accuracy is not None
    assert without.fid == judged.fid
    assert judged.features_name == "inception"


def test_path_length_needs_a_judge(outputs, make_job, tmp_path):
    with pytest.raises(UserError, match="path length needs a judge"):
        measure(make_job, "set=public", "features=inception", f"gan.path={tmp_path}")


# --- bad input -----------------------------------------------------------------------------------


def write_set(outputs, labels, name="bad"):
    labels = np.asarray(labels, np.int64)
    root = outputs / "synth" / name
    synthetic_set.write(root, np.zeros((len(labels), 48, 48), np.uint8), labels, {})
    return root


def test_classes_that_are_missing_or_small_are_named(judged, make_job):
    root = write_set(judged, np.repeat([0, 1, 2, 3, 4, 5], [9, 2, 9, 9, 9, 6]))
    with pytest.raises(
        UserError,
        match=r"set=.*bad: too few images \(disgust 2, neutral 0\); "
        r"neighbors and covariances need 6 or more",
    ):
        measure(make_job, f"set={root}")


def test_too_few_real_images_are_named_too(judged, make_job):
    with pytest.raises(
        UserError,
        match=r"data=real: PublicTest without copies: too few images "
        r"\(angry 10, .*need 13",
    ):
        measure(make_job, "set=train", "metrics.neighbors=12")


def test_a_folder_without_a_set_is_refused(judged, make_job, tmp_path):
    with pytest.raises(UserError, match=f"set={tmp_path}: no synthetic set here"):
        measure(make_job, f"set={tmp_path}")
    with pytest.raises(UserError, match="set=nowhere: no such folder"):
        measure(make_job, "set=nowhere")
    with pytest.raises(UserError, match="no synthetic set here"):
        measure(make_job)


def test_another_order_of_classes_is_refused(judged, make_job):
    root = write_set(judged, np.arange(70) % 7)
    manifest = json.loads((root / "manifest.json").read_text())
    manifest["classes"] = manifest["classes"][::-1]
    (root / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match=r"its classes are .*; expected"):
        measure(make_job, f"set={root}")


def test_a_set_of_another_generator_is_measured_and_said(judged, made_set, make_job, capsys):
    manifest = json.loads((made_set / "manifest.json").read_text())
    manifest["generator"]["data_hash"] = "of other faces"
    (made_set / "manifest.json").write_text(json.dumps(manifest))
    measure(make_job, f"set={made_set}")
    assert "learned from other faces than the reference" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("features=vgg", "features=vgg: unknown; expected one of fer, inception"),
        ("n=0", "n=0: expected at least 1"),
        ("metrics.kid_images=1", "metrics.kid_images=1: expected at least 2"),
        ("metrics.neighbors=0", "metrics.neighbors=0: expected at least 1"),
        ("path_pairs=5", "path_pairs=5: expected at least 100"),
        ("batch=0", "batch=0: expected at least 1"),
        ("map=mds", "map=mds: unknown; expected one of none, pca, tsne, umap"),
        ("map_images=3", "map_images=3: expected at least 10"),
    ],
)
def test_values_that_cannot_be_are_refused(make_job, override, message):
    with pytest.raises(UserError, match=message):
        make_job("fidelity", override)
