"""`ferbench curate` on made photographs: what it leaves, what it skips, and what it refuses."""

import json
import os
from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml

from ferbench import results, runs
from ferbench.classes import CLASSES, SPLITS
from ferbench.cli import arguments
from ferbench.cli.jobs import Launcher
from ferbench.commands import curate, inputs, synth
from ferbench.commands.measured import Outcome
from ferbench.data import contact_sheets, face_set, named_sets, synthetic_set
from ferbench.data.face_set import Faces
from ferbench.data.synthetic_set import SetWriter
from ferbench.errors import UserError
from ferbench.models import NetworkOptions, build
from ferbench.results.rows import CurateRow
from ferbench.runs import checkpoint
from made import photographs as made_photographs

LAUNCHER = Launcher(("launcher=local",), full_error=False)
FAST = ("device=cpu", "precision=fp32", "cells=2", "quantile=0")
NAMES = {
    "images.npy",
    "labels.npy",
    "pool_index.npy",
    "manifest.json",
    "config.yaml",
    "run.json",
    ".lock",
    *(f"contact_{name}.png" for name in CLASSES),
}


def photographs(count, seed, labels, percent=90):
    """[count, 48, 48] uint8: made photographs; on their edges what `MadeJudge` reads."""
    images = made_photographs(count, seed)
    for place, value in enumerate((labels, percent)):
        images[:, 0, place] = images[:, 0, -1 - place] = value
    return images


class MadeJudge:
    """Reads the class and its probability (in percent) from two pixels of an image."""

    def __init__(self, name, data_hash):
        self.name, self.hash, self.data_hash = name, f"hash of {name}", data_hash
        self.warnings = (f"judge {name} cannot be trusted: ...",)

    def describe(self, images, *, batch=512, what=""):
        shown, percent = images[:, 0, :2].astype(float).T
        chance = np.repeat((1 - percent / 100)[:, None] / 6, 7, axis=1)
        chance[np.arange(len(images)), shown.astype(int)] = percent / 100
        features = np.asarray(images[:, 20:22, 20].astype(np.float32))
        return SimpleNamespace(logits=np.log(chance + 1e-9).astype(np.float32), features=features)


def made_judge(run, compute, key="judge"):
    return MadeJudge(run.name, inputs.trained_row(run, key)["data_hash"])


@pytest.fixture
def outputs(tmp_path):
    """An outputs folder with 140 training and 70 + 70 held-out photographs."""
    splits = {}
    for seed, (split, per_class) in enumerate(zip(SPLITS, (20, 10, 10), strict=True)):
        labels = np.repeat(np.arange(7), per_class).astype(np.int64)
        names = np.array([f"{split}_{i:04d}" for i in range(len(labels))])
        splits[split] = Faces(photographs(len(labels), seed, labels), labels, names)
    folder = tmp_path / "outputs" / "data" / "fer2013"
    named_sets.store(folder, splits, {"name": "fer2013"}, near_correlation=None)
    return tmp_path / "outputs"


@pytest.fixture
def train(outputs):
    return face_set.read(outputs / "data/fer2013")


@pytest.fixture
def data_hash(train):
    return train.manifest["hashes"]["train"]


@pytest.fixture
def add_judge(outputs, make_row, data_hash):
    """add_judge(seed, public, **columns): a run of a small untrained network, as classify ends."""

    def add(seed=0, public=0.5, **columns):
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
        (run / "config.yaml").write_text(yaml.safe_dump({"model": config}))
        checkpoint.save_weights(
            run / inputs.WEIGHTS, build(NetworkOptions(**config), classes=7).state_dict()
        )
        (run / "metrics.jsonl").write_text(json.dumps({"epoch": 1, "public_accuracy": public}))
        return run

    return add


@pytest.fixture
def judged(add_judge, monkeypatch):
    """A run of classify that stands for `MadeJudge`, as every further one does."""
    monkeypatch.setattr(inputs, "open_judge", made_judge)
    return add_judge()


@pytest.fixture
def make_pool(outputs, data_hash):
    """make_pool(name, images, **facts): 140 photographs; every second is judged right with 0.9.

    The others are of their class with 0.2 alone.
    """

    def make(name="pool", images=None, **facts):
        labels = np.arange(140) % 7
        if images is None:
            images = photographs(140, 50, labels, np.where(np.arange(140) < 70, 90, 20))
        facts = {"data": "real", "data_hash": data_hash, "sha256": "ab12", "kimg": 4.0} | facts
        root = outputs / "synth" / name
        synthetic_set.write(
            root,
            images,
            labels,
            {
                "generator": facts,
                "seeds": {"first": 5, "rule": "image i has first + i"},
                "truncation": {"psi": 0.9},
                "gate": {"images": 1},
            },
        )
        return root

    return make


@pytest.fixture
def made(make_job, outputs):
    """made(override, ...): run the command; the new set."""

    def run(*words, sheets=False):
        before = set((outputs / "synth").glob("*/"))
        with pytest.MonkeyPatch.context() as patch:
            if not sheets:  # drawing them takes the longest
                patch.setattr(contact_sheets, "write", lambda root, **given: None)
            curate.run(make_job("curate", *FAST, *words), LAUNCHER)
        (folder,) = set((outputs / "synth").glob("*/")) - before
        return synthetic_set.read(folder)

    return run


def content(folder):
    names = ("images.npy", "labels.npy", "manifest.json", "pool_index.npy")
    return {name: (folder / name).read_bytes() for name in names}


# --- the set -------------------------------------------------------------------------------------


def test_a_curated_set_is_a_set_like_any_other(judged, make_pool, made, capsys):
    root = make_pool()
    pool = synthetic_set.read(root)
    found = made("n=35", f"set={root}", sheets=True)
    assert {path.name for path in found.root.iterdir()} == NAMES
    assert found.root.name.startswith("pool_curated_n35_")
    assert found.manifest["counts"] == dict.fromkeys(CLASSES, 5)
    np.testing.assert_array_equal(found.labels, np.arange(35) % 7)
    index = np.load(found.root / "pool_index.npy")
    assert index.dtype == np.int64 and (index < 70).all() and len(set(index)) == 35
    np.testing.assert_array_equal(found.images, pool.images[index])
    np.testing.assert_array_equal(found.labels, pool.labels[index])
    printed = capsys.readouterr().out
    assert f"judge={judged} (the best on PublicTest)" in printed
    assert "-10" in printed and "confidence" in printed
    facts = runs.status_of(found.root)
    assert (facts["status"], facts["command"]) == ("complete", "curate")


def test_a_curation_leaves_a_row(judged, make_pool, made, outputs, make_job, capsys):
    """It counts what the steps took out, and comes back where the table lost it."""
    root = make_pool()
    words = ("n=35", f"set={root}", "batch=9")
    found = made(*words)
    (row,) = results.read(outputs, CurateRow)
    assert (row.run, row.command) == (f"synth/{found.root.name}", "curate")
    assert (row.set_name, row.set_hash) == (found.root.name, found.manifest["hash"])
    assert (row.pool_name, row.pool_images, row.set_images) == ("pool", 140, 35)
    assert row.pool_hash == synthetic_set.read(root).manifest["hash"]
    assert (row.generator, row.kimg, row.missing_images) == ("ab12", 4, 0)
    steps = {step["name"]: step for step in found.manifest["curation"]["steps"]}
    assert row.mismatched_images == steps["mismatched"]["facts"]["images"] == 0
    left = {name: sum(step["counts"].values()) for name, step in steps.items()}
    assert row.unsure_images == left["mismatched"] - left["confidence"] == 70
    assert row.training_copies == left["confidence"] - left["training copies"]
    assert row.near_duplicates == left["training copies"] - left["near-duplicates"]
    likeness = [one["chosen_likeness"] for one in steps["spread"]["facts"]["classes"].values()]
    assert row.cell_likeness == pytest.approx(np.mean(likeness))
    gate = found.manifest["gate"]
    assert row.class_accuracy == gate["class_accuracy"]
    assert row.class_accuracy_least == min(gate["accuracy"].values())
    assert row.pool_class_accuracy == found.manifest["curation"]["pool"]["class_accuracy"]
    assert row.judge_hash == row.gate_judge_hash == gate["judge_hash"]
    (outputs / "curate.csv").unlink()
    curate.run(make_job("curate", *FAST, *words), LAUNCHER)
    assert f"done already: {found.root}" in capsys.readouterr().out
    assert results.read(outputs, CurateRow) == [row]


def test_a_step_that_was_left_out_has_no_number(judged, make_pool, made, outputs):
    make_pool()
    made("n=35", "mismatched=keep", "confidence=null", "duplicates=false", "spread=false")
    (row,) = results.read(outputs, CurateRow)
    assert row.mismatched_images is row.unsure_images is row.near_duplicates is None
    assert row.cell_likeness is None and row.training_copies is not None


def test_the_manifest_keeps_the_generator_and_says_what_was_done(judged, make_pool, made, train):
    pool = synthetic_set.read(make_pool())
    found = made("n=35").manifest
    for key in ("generator", "truncation"):
        assert found[key] == pool.manifest[key]
    assert found["seeds"] == {
        "first": 5,
        "count": 35,
        "rule": "image i is image pool_index.npy[i] of the pool: image i has first + i",
    }
    assert found["hash"] != pool.manifest["hash"]
    done = found["curation"]
    assert done["pool"] == {
        "path": str(pool.root),
        "hash": pool.manifest["hash"],
        "images": 140,
        "class_accuracy": pytest.approx(1.0),
        "curation": None,
    }
    assert done["judge"] == {"name": "cnn_real_s0", "hash": "hash of cnn_real_s0"}
    assert done["real"] == {split: train.manifest["hashes"][split] for split in SPLITS[:2]}
    steps = {step["name"]: step for step in done["steps"]}
    assert list(steps) == [
        "pool",
        "mismatched",
        "confidence",
        "training copies",
        "near-duplicates",
        "spread",
    ]
    assert steps["confidence"]["counts"] == dict.fromkeys(CLASSES, 10)
    assert steps["confidence"]["facts"] == {"confidence": 0.3}
    assert steps["training copies"]["facts"]["held_out_singletons"] == 70
    assert done["settings"]["n"] == 35


def test_copies_mismatches_and_duplicates_are_left_out(judged, make_pool, made, train):
    """Planted: 3 is a training image, 10 a mirrored one, 20 the same as 6, 8 shows another class.

    Image 6 is of neutral (6) as 20 is, and comes first.
    """
    labels = np.arange(140) % 7
    images = photographs(140, 50, labels)
    images[3] = train.splits["train"].images[60]
    images[10] = train.splits["train"].images[61][:, ::-1]
    images[20] = images[6]
    images[8, 0, [0, -1]] = 5
    found = made("n=140", f"set={make_pool(images=images)}")
    lost = set(range(140)) - set(np.load(found.root / "pool_index.npy").tolist())
    assert {3, 10, 8, 20} <= lost and 6 not in lost
    assert len(lost) == 140 - len(found) == sum(found.manifest["curation"]["missing"].values())
    off = made(
        "n=140",
        "mismatched=keep",
        "confidence=null",
        "train_copies=false",
        "duplicates=false",
        "spread=false",
        f"set={found.root.parent / 'pool'}",
    )
    assert np.load(off.root / "pool_index.npy").tolist() == list(range(140))


def test_relabeled_images_have_their_new_class(judged, make_pool, made):
    labels = np.arange(140) % 7
    images = photographs(140, 50, np.where(labels == 3, 4, labels))
    words = ("mismatched=correct", "train_copies=false", "n=35", "short=accept")
    found = made(f"set={make_pool(images=images)}", *words)
    assert found.manifest["counts"] == dict.fromkeys(CLASSES, 5) | {"happy": 0}
    assert found.manifest["curation"]["missing"] == {"happy": 5}


def test_the_newest_pool_that_is_not_curated(judged, make_pool, made, capsys):
    old, new = make_pool("old"), make_pool("new")
    for age, root in enumerate((new, old)):
        os.utime(root / "manifest.json", ns=(10**18 - age * 10**9,) * 2)
    found = made("n=35")
    assert found.root.name.startswith("new_curated")
    again = made("n=28")
    assert again.root.name.startswith("new_curated_n28")
    assert f"set={new} (the newest that is not curated)" in capsys.readouterr().out


def test_a_curated_set_can_be_curated_again(judged, make_pool, made):
    first = made("n=70", f"set={make_pool()}", "train_copies=false")
    second = made("n=35", f"set={first.root}", "train_copies=false")
    assert second.manifest["curation"]["pool"]["curation"] == first.manifest["curation"]
    index = np.load(second.root / "pool_index.npy")
    np.testing.assert_array_equal(second.images, first.images[index])


def test_what_is_short_is_said(judged, make_pool, made, capsys):
    make_pool()
    found = made("n=77", "train_copies=false")
    assert len(found) == 70
    printed = capsys.readouterr().out
    assert "short: 70 images; missing: angry 1, disgust 1" in printed


# --- the gate ------------------------------------------------------------------------------------


def test_the_filter_s_own_gate_says_so(judged, make_pool, made, capsys):
    make_pool()
    gate = made("n=35").manifest["gate"]
    assert gate["same_judge"] is True and gate["judge"] == "cnn_real_s0"
    assert "this judge filtered the set" in capsys.readouterr().out


def test_another_classifier_is_asked_where_there_is_one(judged, add_judge, make_pool, made, capsys):
    worse, worst = add_judge(1, public=0.4), add_judge(2, public=0.2)
    make_pool()
    auto = made("n=35").manifest
    assert auto["curation"]["judge"]["name"] == judged.name
    assert (auto["gate"]["judge"], auto["gate"]["same_judge"]) == (worse.name, False)
    assert "this judge filtered" not in capsys.readouterr().out
    named = made("n=35", f"gate_judge={worst}", "force=true").manifest
    assert named["gate"]["judge"] == worst.name
    same = made("n=35", f"gate_judge={judged}", "force=true").manifest
    assert same["gate"]["same_judge"] is True


# --- PrivateTest, doing it again, being stopped --------------------------------------------------


class Untouchable:
    def __getattribute__(self, name):
        raise AssertionError(f"PrivateTest was touched: {name}")


def test_private_faces_are_never_touched(judged, make_pool, made, monkeypatch):
    opened = inputs.open_faces

    def open_faces(data):
        faces = opened(data)
        faces.splits["private"] = Untouchable()
        return faces

    monkeypatch.setattr(inputs, "open_faces", open_faces)
    make_pool()
    assert len(made("n=35")) == 35


def test_a_second_time_is_skipped_and_force_gives_the_same(
    judged, make_pool, made, make_job, monkeypatch, capsys
):
    root = make_pool()
    found = made("n=35", f"set={root}")
    again = made("n=35", f"set={root}", "force=true")
    assert again.root.name == f"{found.root.name}-2"
    assert content(again.root) == content(found.root)
    monkeypatch.setattr(curate, "_curate", lambda *given: pytest.fail("it chose again"))
    curate.run(
        make_job("curate", *FAST, "n=35", f"set={root}", "batch=3", "short=refuse"), LAUNCHER
    )
    assert f"done already: {found.root}" in capsys.readouterr().out


def test_the_folder_depends_on_what_changes_the_set(judged, make_pool, make_job, monkeypatch):
    words = [
        "seed=1",
        "n=28",
        "confidence=0.4",
        "keep_share=0.5",
        "spread=false",
        "cells=3",
        "duplicates=false",
        "mismatched=correct",
        "balance=natural",
    ]
    folders = []

    def keep_folder(job, read, record):
        folders.append(record.folder)
        return Outcome()

    monkeypatch.setattr(curate, "_curate", keep_folder)
    given = ("curate", *FAST[:2], f"set={make_pool()}")
    for more in (["n=35"], ["n=35", "batch=7"], *(["n=35", word] for word in words)):
        curate.run(make_job(*given, *more), LAUNCHER)
    assert folders[0] == folders[1]
    assert len(set(folders)) == 1 + len(words)


def test_a_stopped_run_leaves_no_set_and_the_next_one_makes_it(
    judged, make_pool, made, outputs, make_job, monkeypatch
):
    root = make_pool()

    def stop(*given, **more):
        raise KeyboardInterrupt

    monkeypatch.setattr(SetWriter, "finish", stop)
    with pytest.raises(KeyboardInterrupt):
        made("n=35", f"set={root}")
    (folder,) = (outputs / "synth").glob("pool_curated_*")
    with pytest.raises(UserError, match="unfinished"):
        synthetic_set.read(folder)
    assert runs.status_of(folder)["status"] == "interrupted"
    monkeypatch.undo()
    monkeypatch.setattr(inputs, "open_judge", made_judge)
    curate.run(make_job("curate", *FAST, "n=35", f"set={root}"), LAUNCHER)
    assert len(synthetic_set.read(folder)) == 35


# --- with real networks, and from a generator ----------------------------------------------------


def test_a_pool_is_drawn_from_a_generator(
    add_judge, make_generator, make_job, outputs, data_hash, capsys
):
    """By `ferbench synth` itself, so that it is found again; an untrained network judges."""
    add_judge()
    path = make_generator(outputs / "a, b.safetensors", data="real", data_hash=data_hash)
    gan = ("device=cpu", "precision=fp32", f"gan.path='{path}'", "psi=0.8", "seed=3")
    curate.run(
        make_job(
            "curate",
            *FAST,
            *gan,
            "n=14",
            "pool_per_image=2.5",
            "keep_share=0.9",
            "mismatched=keep",
            "duplicates=false",
            "train_copies=false",
        ),
        LAUNCHER,
    )
    (pool,) = (outputs / "synth").glob("a--b_n35_s3_????????")
    drawn = synthetic_set.read(pool)
    assert len(drawn) == 35 and drawn.manifest["truncation"]["psi"] == 0.8
    (folder,) = (outputs / "synth").glob("*_curated_n14_*")
    found = synthetic_set.read(folder)
    assert len(found) == 14
    assert found.manifest["generator"] == drawn.manifest["generator"]
    assert found.manifest["curation"]["pool"]["hash"] == drawn.manifest["hash"]
    capsys.readouterr()
    synth.run(make_job("synth", *gan, "n=35", "out_px=48"))
    assert capsys.readouterr().out == f"done already: {pool} (force=true runs it again)\n"


def test_a_pool_that_was_drawn_before_is_used(judged, make_pool, make_job):
    pool, called = make_pool(), []

    class DrawnBefore(Launcher):
        def call(self, command, words):
            called.append((command, words[:2]))
            return pool

    job = make_job("curate", *FAST, "gan.path=g.safetensors", "n=35")
    curate.run(job, DrawnBefore(LAUNCHER.words, full_error=False))
    assert called == [("synth", ["gan=g.safetensors", "n=105"])]
    (folder,) = pool.parent.glob("pool_curated_n35_*")
    assert synthetic_set.read(folder).manifest["curation"]["pool"]["path"] == str(pool)


def test_a_pool_that_cannot_be_drawn(judged, make_job, capsys):
    with pytest.raises(UserError, match=r"^gan=g.pkl: no such file"):
        curate.run(make_job("curate", *FAST, "gan.path=g.pkl", "n=14"), LAUNCHER)
    assert "$ ferbench synth gan=g.pkl n=42 " in capsys.readouterr().out


# --- what is refused -----------------------------------------------------------------------------


def refused(make_job, outputs, match, *words):
    before = sorted((outputs / "synth").glob("*"))
    with pytest.raises(UserError, match=match):
        curate.run(make_job("curate", *FAST, *words), LAUNCHER)
    assert sorted((outputs / "synth").glob("*")) == before


def test_without_a_judge(make_job, outputs, make_pool, tmp_path):
    make_pool()
    refused(
        make_job,
        outputs,
        r"judge=auto: no run of a classifier on the Training split of "
        r"data=real below .*; `ferbench classify model=cnn data=real` trains one",
    )
    refused(
        make_job, outputs, r"^judge=.*expected the folder of a complete run", f"judge={tmp_path}"
    )


def test_judges_that_learned_from_something_else(add_judge, make_job, outputs, make_pool):
    make_pool()
    synthetic = add_judge(1, synthetic_images=7)
    other = add_judge(2, data_hash="of other faces")
    refused(
        make_job,
        outputs,
        "judge=.*: learned from synthetic faces; expected a run on real",
        f"judge={synthetic}",
    )
    refused(
        make_job,
        outputs,
        "^judge=.*: learned from other faces; expected a run on the Train",
        f"judge={other}",
    )
    add_judge(3)
    refused(make_job, outputs, "^gate_judge=.*: learned from other faces", f"gate_judge={other}")
    refused(
        make_job,
        outputs,
        "^gate_judge=.*: expected the folder of a complete run",
        f"gate_judge={outputs}",
    )


def test_pools_that_do_not_fit(judged, make_job, outputs, make_pool):
    refused(make_job, outputs, "set=null: no synthetic set below .* that is not curated")
    refused(make_job, outputs, "absent: no such folder", f"set={outputs / 'absent'}")
    unfinished = make_pool("unfinished")
    (unfinished / "manifest.json").unlink()
    refused(make_job, outputs, "unfinished: the set is unfinished", f"set={unfinished}")
    other = make_pool("other", data_hash="0123456789abcdef")
    refused(
        make_job,
        outputs,
        r"set=.*other: its generator learned from other faces \(hash 01234",
        f"set={other}",
    )
    refused(make_job, outputs, "n=141: the pool .* has 140 images", f"set={make_pool()}", "n=141")


def test_a_pool_of_an_unknown_generator_is_taken(judged, make_pool, made):
    assert len(made(f"set={make_pool(data_hash=None)}", "n=35")) == 35


def test_too_few_are_refused_when_asked(judged, make_pool, made, outputs):
    make_pool()
    with pytest.raises(UserError, match=r"short=refuse: too few images are left \(angry 10 of 11"):
        made("n=77", "short=refuse", "train_copies=false")
    (folder,) = (outputs / "synth").glob("pool_curated_*")
    assert not (folder / "manifest.json").exists()


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["n=6"], "n=6: expected at least 7"),
        (["confidence=1.1"], "confidence=1.1: expected a value from 0 to 1"),
        (["keep_share=-1"], "keep_share=-1.0: expected a value from 0 to 1"),
        (["mismatch_confidence=2"], "mismatch_confidence=2.0: expected"),
        (["mismatched=fix"], "mismatched=fix: unknown; expected one of correct, drop, keep"),
        (["short=no"], "short=no: unknown"),
        (["balance=even"], "balance=even: unknown"),
        (["near_correlation=0.5"], "near_correlation=0.5: expected a value from 0.9 to 1"),
        (["drop_correlation=0.97"], "drop_correlation=0.97: expected a value from 0.8 to 0.95"),
        (["quantile=0.5"], "quantile=0.5: expected a value from 0 to 0.1"),
        (["cells=0"], "cells=0: expected at least 1"),
        (["batch=0"], "batch=0: expected at least 1"),
        (["pool_per_image=0.5"], "pool_per_image=0.5: expected a value from 1 to 1000"),
        (["gan.path=x", "set=y", "n=7"], "set=y: gan= draws the pool; expected one of the two"),
        (["gan.path=x"], "n=null: with gan=x it says how much to draw"),
        (["seed=-1"], "seed=-1: expected at least 0"),
        (["name=a/b"], "name=a/b: expected letters"),
    ],
)
def test_values_that_cannot_be_are_refused(make_job, words, match):
    with pytest.raises(UserError, match=match):
        make_job("curate", *words)


def test_paths_are_taken_as_they_stand():
    words = ["gan=a,b.pkl", "gate_judge=x,y", "set=p (1)"]
    assert arguments.for_hydra("curate", words) == [
        "gan.path='a,b.pkl'",
        "gate_judge='x,y'",
        "set='p (1)'",
    ]
