"""`ferbench classify` on synthetic, mixed and limited data."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from ferbench import results
from ferbench.classifiers import training
from ferbench.commands import classify, evaluate
from ferbench.commands.measured import Run
from ferbench.config.commands import Classify
from ferbench.config.identity import identity
from ferbench.config.store import read_config
from ferbench.data import face_set, synthetic_set
from ferbench.errors import UserError
from ferbench.results.rows import ClassifierRow
from ferbench.runs import Compute

SMALL = (
    "model.width=4",
    "train.epochs=1",
    "train.batch=16",
    "train.warmup_epochs=0",
    "logger=none",
    "train.ema_decay=0.5",
    "eval.tta=none",
    "device=cpu",
    "precision=fp32",
)


def make_set(folder, n=140, *, classes=7, px=48, **facts):
    """A synthetic set of interleaved classes, with bars like those of the real one, and darker."""
    labels = np.arange(n) % classes
    images = np.random.default_rng(7).integers(0, 40, (n, px, px), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[6 * label + 2 : 6 * label + 7] += 100
    return synthetic_set.write(folder, images, labels, facts)


def table_rows(outputs):
    return results.read(outputs, ClassifierRow)


def classified(outputs, make_job, *words):
    """The row and the folder of one run of classify."""
    classify.run(make_job("classify", *SMALL, *words))
    row = table_rows(outputs)[-1]
    return row, outputs / row.run


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        ("data=real", ""),
        ("data=toy", "toy"),
        ("data=real data.real_limit=0.1", "real_limit"),
        ("data=real data.teacher=auto", "teacher"),
        ("data=synthetic", "base synthetic toy"),
        ("data=synthetic data.teacher=auto data.teacher_weight=0", "base synthetic toy"),
        ("data=mixed data.real_fraction=0.5", "base synthetic toy mix"),
    ],
)
def test_only_what_changes_the_data_is_in_their_hash(make_job, words, keys):
    found = identity(make_job("classify", *words.split()))["data"]
    assert set(found) == {"name", "draw_seed", *keys.split()}


def test_a_teacher_and_a_start_count_by_their_weights(make_job):
    job = make_job("classify", "data=real", "data.teacher=auto", "start=somewhere")
    hashes = {"teacher": "1a", "start": "2b", "train": "3c"}
    known = Run(job, "classify", "x", hashes, Compute.choose("cpu", "fp32")).identity
    assert known["inputs"] == hashes
    assert known["train"]["epochs"] == 25 and "start" not in known


def test_synthetic_faces_alone_are_scored_on_real_ones(outputs, make_job, capsys):
    """The newest set is taken and named; the row has the set's own hash."""
    manifest = make_set(outputs / "synth/one", 141)
    row, folder = classified(outputs, make_job, "data=synthetic")
    assert f"data.synthetic: the newest set, {outputs / 'synth/one'}" in capsys.readouterr().out
    assert (row.data, row.train_images, row.synthetic_images) == ("synthetic", 141, 141)
    assert row.data_hash == manifest["hash"]
    assert (row.test_data, row.test_split, row.n_test, row.n_test_dedup) == (
        "fer2013",
        "private",
        70,
        69,
    )
    assert folder.name.startswith("cnn_synthetic_s0_")
    facts = json.loads((folder / "run.json").read_text())
    assert facts["inputs"]["synthetic"] == manifest["hash"]
    assert facts["training_set"]["hash"] == manifest["hash"]
    assert facts["training_set"]["synthetic"]["angry"] == 21
    assert read_config(Classify, folder / "config.yaml").data.synthetic.folder == str(
        outputs / "synth/one"
    )


@pytest.mark.parametrize(
    ("words", "data", "counts"),
    [
        ("data.real_fraction=0.3", "mixed-replace-0.3", (140, 98)),
        ("data.real_fraction=0", "mixed-replace-0", (140, 140)),
        ("data.real_fraction=1", "mixed-replace-1", (140, 0)),
        ("data.mix=add data.synthetic_per_real=0.5", "mixed-add-0.5", (210, 70)),
        ("data.mix=augment data.synthetic_per_real=0.5", "mixed-augment-0.5", (210, 0)),
        (
            "data.mix=add data.synthetic_per_real=1 data.real_limit=0.1 data.real_weight=0.7",
            "mixed-add-1-limit-0.1",
            (28, 14),
        ),
    ],
)
def test_the_row_says_what_was_mixed(outputs, make_job, words, data, counts):
    make_set(outputs / "synth/one")
    row, folder = classified(outputs, make_job, "data=mixed", *words.split())
    assert (row.data, (row.train_images, row.synthetic_images)) == (data, counts)
    assert folder.name.startswith(f"cnn_{data}_s0_")
    made = json.loads((folder / "run.json").read_text())["training_set"]
    assert row.data_hash == made["hash"]
    assert sum(made["real"].values()) == counts[0] - counts[1]
    assert sum(made["synthetic"].values()) == counts[1]


def test_few_real_faces_are_the_same_ones_for_every_seed(outputs, make_job):
    """Two of each class of 20; another draw_seed takes others, and is another cell."""
    few = ["data.real_limit=0.1"]
    first, _ = classified(outputs, make_job, *few)
    second, _ = classified(outputs, make_job, *few, "seed=1")
    other, _ = classified(outputs, make_job, *few, "data.draw_seed=1")
    assert (first.data, first.train_images, first.synthetic_images) == ("real-limit-0.1", 14, 0)
    assert (first.cell, first.data_hash) == (second.cell, second.data_hash)
    assert other.cell != first.cell
    assert other.data_hash != first.data_hash


def test_the_folder_depends_on_the_set_s_content_and_not_on_its_path(outputs, make_job, capsys):
    make_set(outputs / "synth/one")
    row, _ = classified(outputs, make_job, "data=synthetic")
    shutil.copytree(outputs / "synth/one", outputs / "elsewhere")
    words = ["data=synthetic", f"data.synthetic={outputs / 'elsewhere'}"]
    again, _ = classified(outputs, make_job, *words)
    assert "done already" in capsys.readouterr().out
    assert again == row
    make_set(outputs / "elsewhere", 147)
    other, _ = classified(outputs, make_job, *words)
    assert other.run != row.run
    assert other.cell == row.cell
    assert other.data_hash != row.data_hash


def test_a_stopped_synthetic_run_goes_on_with_its_own_set(
    outputs, make_job, change_inputs, monkeypatch
):
    """A newer set that appears meanwhile is not taken; a changed one is refused."""
    make_set(outputs / "synth/one")
    job = make_job("classify", *SMALL, "data=synthetic")
    with monkeypatch.context() as patch:
        patch.setattr(training, "fit", lambda *args, **kwargs: (_ for _ in ()).throw(OSError))
        with pytest.raises(OSError):  # noqa: PT011
            classify.run(job)
    (folder,) = (outputs / "classify").iterdir()
    make_set(outputs / "synth/two", 280)
    stopped = replace(read_config(Classify, folder / "config.yaml"), resume=str(folder))
    classify.run(stopped)
    assert table_rows(outputs)[-1].train_images == 140
    change_inputs(folder, synthetic="other")
    with pytest.raises(UserError, match=f"resume={folder}: the data have changed"):
        classify.run(stopped)


def test_source_statistics_change_the_synthetic_images_only_when_asked(outputs, make_job):
    make_set(outputs / "synth/one")
    words = ["data=mixed", "data.mix=add", "data.synthetic_per_real=1"]
    shared, _ = classified(outputs, make_job, *words)
    matched, _ = classified(outputs, make_job, *words, "data.normalize=source")
    assert shared.cell != matched.cell
    assert shared.data_hash != matched.data_hash
    assert shared.train_images == matched.train_images == 280


def test_training_sees_exactly_the_mixed_images(outputs, make_job, monkeypatch):
    """On the device: real ones first, then synthetic ones, with the share that was asked for."""
    make_set(outputs / "synth/one")
    seen = {}

    def fit(model, train, held_out, settings, **kwargs):
        seen.update(train=train, held_out=held_out)
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "fit", fit)
    words = ["data=mixed", "data.mix=add", "data.synthetic_per_real=1", "data.real_weight=0.6"]
    with pytest.raises(KeyboardInterrupt):
        classify.run(make_job("classify", *SMALL, *words))
    real = face_set.read(outputs / "data/fer2013")
    made = synthetic_set.read(outputs / "synth/one")
    train = seen["train"]
    assert (train.images[:140, 0].numpy() == real.splits["train"].images).all()
    assert (train.images[140:, 0].numpy() == made.images).all()
    assert (train.labels[140:].numpy() == made.labels).all()
    assert (train.first, train.first_share) == (140, 0.6)
    assert (seen["held_out"].images[:, 0].numpy() == real.splits["public"].images).all()


def test_toy_faces_stand_behind_synthetic_ones_too(outputs, make_job):
    """The demo's way: the row says toy, so the table keeps it apart from real ones."""
    make_set(outputs / "synth/one", generator={"data": "toy"})
    toy = ["data.base=toy", "data.toy_train=70", "data.toy_public=14", "data.toy_private=21"]
    row, _ = classified(outputs, make_job, "data=synthetic", *toy)
    assert (row.data, row.test_data, row.n_test) == ("synthetic", "toy", 21)
    assert (outputs / "data/toy/manifest.json").is_file()


@pytest.mark.parametrize(
    ("facts", "note"),
    [
        ({"data": "real", "data_hash": "SAME"}, ""),
        ({"data": "real", "data_hash": "0123"}, "learned from other faces than those of this"),
        ({"data": "published"}, ""),
        ({}, ""),
    ],
)
def test_a_generator_of_other_faces_is_told_aloud(outputs, make_job, capsys, facts, note):
    hashes = face_set.read(outputs / "data/fer2013").manifest["hashes"]
    known = {key: hashes["train"] if value == "SAME" else value for key, value in facts.items()}
    make_set(outputs / "synth/one", generator=known)
    classified(outputs, make_job, "data=synthetic")
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note:")]
    assert len(said) == bool(note)
    assert all(note in line for line in said)


def test_a_generator_that_saw_more_than_a_few_shot_run_may_is_told(outputs, make_job, capsys):
    whole = face_set.read(outputs / "data/fer2013").manifest["hashes"]["train"]
    make_set(outputs / "synth/one", generator={"data": "real", "data_hash": whole})
    words = ["data=mixed", "data.mix=add", "data.synthetic_per_real=1", "data.real_limit=0.1"]
    classified(outputs, make_job, *words)
    said = capsys.readouterr().out
    assert "learned from all 140 real faces, this run may use 14 of them" in said


@pytest.mark.parametrize(
    ("made", "words", "message"),
    [
        ({}, ["data=mixed"], r"^data\.mix\.real_fraction=: a value is needed"),
        ({"n": 60, "classes": 6}, ["data=synthetic"], r"too few images \(neutral 0 of 1\)"),
        (
            {},
            ["data=mixed", "data.mix=add", "data.synthetic_per_real=2"],
            r"too few images \(angry 20 of 40, .*\); expected 280 in all \(ferbench synth n=280",
        ),
        (
            {},
            ["data=synthetic", "data.synthetic_limit=147"],
            r"too few images \(angry 20 of 21, .*\); expected 147",
        ),
        (
            {"generator": {"data": "toy"}},
            ["data=synthetic"],
            "its generator learned from toy faces; expected real ones, as data.base says",
        ),
        (
            {},
            ["data=mixed", "data.real_fraction=1", "data.real_weight=0.5"],
            r"data\.mix\.real_weight=0\.5: mixed-replace-1 has no mixture of real and synth",
        ),
        (
            {},
            ["data=mixed", "data.mix=augment", "data.synthetic_per_real=1", "data.real_weight=0.5"],
            r"data\.mix\.real_weight=0\.5: mixed-augment-1 has no mixture of real and synth",
        ),
    ],
)
def test_synthetic_sets_that_do_not_do_leave_no_run(outputs, make_job, made, words, message):
    make_set(outputs / "synth/one", **made)
    with pytest.raises(UserError, match=message):
        classify.run(make_job("classify", *SMALL, *words))
    assert not (outputs / "classify").exists()


def test_without_a_synthetic_set_one_line_says_how_to_get_it(outputs, make_job):
    with pytest.raises(UserError, match=r"no synthetic set here.*ferbench synth"):
        classify.run(make_job("classify", *SMALL, "data=synthetic"))
    with pytest.raises(UserError, match=r"no such folder; expected a synthetic set"):
        classify.run(make_job("classify", *SMALL, "data=synthetic", "data.synthetic=/gone"))


def test_the_control_row_needs_no_synthetic_set(outputs, make_job):
    words = ["data=mixed", "data.mix=augment", "data.synthetic_per_real=1"]
    row, folder = classified(outputs, make_job, *words)
    assert (row.train_images, row.synthetic_images) == (280, 0)
    assert set(json.loads((folder / "run.json").read_text())["inputs"]) == {
        "train",
        "public",
        "private",
    }


def test_a_synthetic_set_whose_pixels_changed_is_refused_before_the_run(outputs, make_job):
    make_set(outputs / "synth/one")
    images = np.load(outputs / "synth/one/images.npy", mmap_mode="r+")
    images[5, 5, 5] ^= 1
    images.flush()
    with pytest.raises(UserError, match="not the content of the manifest's hash"):
        classify.run(make_job("classify", *SMALL, "data=synthetic"))
    assert not (outputs / "classify").exists()
    assert table_rows(outputs) == []


def test_evaluate_takes_the_run_s_own_faces_unless_others_are_named(outputs, make_job, capsys):
    """A run on toy faces was scored on FER2013 where nobody said data=toy."""
    sizes = ("data.toy_train=70", "data.toy_public=7", "data.toy_private=14")
    row, folder = classified(outputs, make_job, "data=toy", *sizes)
    capsys.readouterr()
    evaluate.run(make_job("evaluate", f"run={folder}", "eval.split=public", "device=cpu"))
    assert f"data=toy: {outputs / 'data/toy'} (the run's own" in capsys.readouterr().out
    own = table_rows(outputs)[-1]
    assert (row.test_data, own.test_data, own.n_test) == ("toy", "toy", 7)
    evaluate.run(make_job("evaluate", f"run={folder}", "data=real", "device=cpu"))
    assert table_rows(outputs)[-1].test_data == "fer2013"
    evaluate.run(make_job("evaluate", f"run={folder}", "data=toy", *sizes, "device=cpu"))
    assert table_rows(outputs)[-1].accuracy == row.accuracy
    with pytest.raises(UserError, match=r"^data\.folder=x: not with data=own; expected data=real"):
        make_job("evaluate", f"run={folder}", "data.folder=x")


def test_evaluate_scores_runs_on_synthetic_data(outputs, make_job):
    make_set(outputs / "synth/one")
    first, folder = classified(outputs, make_job, "data=synthetic")
    evaluate.run(make_job("evaluate", f"run={folder}", "eval.split=public", "device=cpu"))
    again = table_rows(outputs)[-1]
    assert (again.data, again.synthetic_images, again.data_hash) == (
        first.data,
        first.synthetic_images,
        first.data_hash,
    )
    assert (again.test_split, again.cell) == ("public", first.cell)
    assert again.test_data == first.test_data
    with pytest.raises(UserError, match=r"^data=mixed: no such option of ferbench evaluate"):
        make_job("evaluate", f"run={folder}", "data=mixed", "device=cpu")
