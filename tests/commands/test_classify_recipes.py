"""`ferbench classify` with a teacher, with images drawn every epoch, and from another run."""

import json
import os
import shutil
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch

import made
from ferbench import results
from ferbench.classifiers import training
from ferbench.commands import classify, inputs, judges
from ferbench.commands.judges import RealFaces, Wanted
from ferbench.data import synthetic_set
from ferbench.errors import UserError
from ferbench.gan.fresh_faces import seeds_of
from ferbench.gan.sampler import Sampler
from ferbench.results.rows import ClassifierRow
from ferbench.runs import Compute, Interrupted
from ferbench.runs.checkpoint import load_weights

CPU = Compute.choose("cpu", "fp32")
SMALL = (
    "model.width=4",
    "train.epochs=2",
    "train.batch=16",
    "train.warmup_epochs=0",
    "logger=none",
    "train.ema_decay=0.5",
    "eval.tta=none",
    "device=cpu",
    "precision=fp32",
)
TAUGHT = ("data=synthetic", "data.teacher=auto")
ONLINE = ("data=synthetic", "data.synthetic_online=true", "data.synthetic_limit=42")


def write_set(outputs):
    """A synthetic set of 70 images with bars like those of the real ones, and darker."""
    labels = np.arange(70) % 7
    images = np.random.default_rng(7).integers(0, 40, (70, 48, 48), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[6 * label + 2 : 6 * label + 7] += 100
    return synthetic_set.write(outputs / "synth/one", images, labels, {})


@pytest.fixture
def made_set(outputs):
    return write_set(outputs)


def write_gan(outputs):
    """The file of a complete run of train-gan."""
    folder = outputs / "train-gan/run_a"
    path = made.generator_file(folder / "best.safetensors", data="real", kimg=3.0)
    (folder / "run.json").write_text(json.dumps({"status": "complete", "finished": "2026"}))
    return path


@pytest.fixture
def gan(outputs):
    return write_gan(outputs)


@pytest.fixture
def fitted(outputs, make_job):
    """fitted(word, ...): the row and the folder of one run of classify."""

    def run(*words):
        classify.run(make_job("classify", *SMALL, *words))
        row = results.read(outputs, ClassifierRow)[-1]
        return row, outputs / row.run

    return run


TEACHER = (*SMALL, "train.epochs=1", "name=teacher")


@pytest.fixture
def teacher(finished):
    """The folder of a run on the real faces."""
    return finished("classify", *TEACHER)


def teach_and_draw(outputs):
    """A teacher and a generator."""
    write_gan(outputs)
    classify.run(made.job("classify", f"outputs={outputs}", *TEACHER))


@pytest.fixture
def start(made_set, finished):
    """The folder of a run on the synthetic set."""
    return finished("classify", *SMALL, "data=synthetic", beside=write_set)


def seen_by_fit(monkeypatch, job):
    """What training.fit gets from the command: weights, training faces, settings and the rest."""
    seen = {}

    def fit(model, train, held_out, settings, **kwargs):
        weights = {name: value.clone() for name, value in model.state_dict().items()}
        seen.update(weights=weights, train=train, settings=settings, **kwargs)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training, "fit", fit)
        with pytest.raises(KeyboardInterrupt):
            classify.run(job)
    return seen


def stop_at_step(patch, number):
    """SIGTERM at a step of the optimizer, counted over the run."""
    steps, original = iter(range(1, 100)), training._Loop._step

    def step(self, batch):
        if next(steps) == number:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(self, batch)

    patch.setattr(training._Loop, "_step", step)


def stop_at_draw(patch, number):
    """SIGTERM before a batch of images is drawn, counted over the run."""
    draws, original = iter(range(1, 100)), Sampler.draw

    def draw(self, *arguments):
        if next(draws) == number:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(self, *arguments)

    patch.setattr(Sampler, "draw", draw)


def assert_same_weights(one, two):
    found, want = (load_weights(folder / inputs.WEIGHTS) for folder in (one, two))
    assert all(torch.equal(found[name], want[name]) for name in want)


# --- a teacher -----------------------------------------------------------------------------------


def test_a_taught_run_says_so(made_set, teacher, fitted, capsys):
    row, folder = fitted(*TAUGHT)
    said = capsys.readouterr().out
    assert f"data.teacher={teacher} (the best on PublicTest)" in said
    assert f"taught by {teacher.name}" in said
    assert (row.data, row.synthetic_images, row.train_images) == ("synthetic-taught", 70, 70)
    assert folder.name.startswith("cnn_synthetic-taught_s0_")
    facts = json.loads((folder / "run.json").read_text())
    assert facts["inputs"]["teacher"] == inputs.sha256_of(teacher / inputs.WEIGHTS)
    plain, _ = fitted("data=synthetic")
    assert plain.data_hash == made_set["hash"] != row.data_hash
    assert plain.accuracy != row.accuracy or plain.nll != row.nll


def test_a_teacher_counts_by_its_weights_and_not_by_its_path(
    made_set, teacher, fitted, outputs, capsys
):
    first, _ = fitted(*TAUGHT)
    shutil.copytree(teacher, outputs / "elsewhere")
    again, _ = fitted("data=synthetic", f"data.teacher={outputs / 'elsewhere'}")
    assert "done already" in capsys.readouterr().out
    assert again == first
    _, other = fitted("train.epochs=1", "seed=1")
    row, _ = fitted("data=synthetic", f"data.teacher={other}")
    assert row.cell != first.cell
    assert row.data_hash != first.data_hash
    half, _ = fitted(*TAUGHT, f"data.teacher={teacher}", "data.teacher_weight=0.5")
    assert half.cell != first.cell


def test_a_teacher_of_weight_zero_is_no_teacher(made_set, teacher, fitted, capsys):
    """The same folder, hashes and row: the teacher is not even opened."""
    plain, _ = fitted("data=synthetic")
    again, _ = fitted("data=synthetic", "data.teacher=/gone", "data.teacher_weight=0")
    assert "done already" in capsys.readouterr().out
    assert again == plain


def test_only_synthetic_images_are_taught(made_set, teacher, make_job, monkeypatch):
    """In mixed data the real ones, which come first, keep their labels."""
    words = ["data=mixed", "data.mix=add", "data.synthetic_per_real=0.5", "data.teacher=auto"]
    train = seen_by_fit(monkeypatch, make_job("classify", *SMALL, *words))["train"]
    assert (train.first, len(train)) == (140, 210)
    one_hot = torch.eye(7)[train.labels].half()
    assert torch.equal(train.targets[:140], one_hot[:140])
    assert not torch.equal(train.targets[140:], one_hot[140:])
    model = inputs.load_classifier(teacher).eval()
    pixels = train.images[140:].float() / 127.5 - 1
    with torch.no_grad():
        want = (model(pixels).softmax(1) + model(pixels.flip(-1)).softmax(1)) / 2
    torch.testing.assert_close(train.targets[140:].float(), want, rtol=0, atol=1e-3)


def test_real_faces_are_taught_where_asked_for(made_set, teacher, fitted, make_job, monkeypatch):
    """The control of soft labels: another cell, with other data, and no judge of others."""
    plain, _ = fitted("data=real")
    row, folder = fitted("data=real", "data.teacher=auto")
    assert (row.data, row.synthetic_images) == ("real-taught", 0)
    assert row.data_hash != plain.data_hash
    data_hash = json.loads((folder / "run.json").read_text())["inputs"]["train"]
    assert judges.find(folder.parents[1], data_hash) != folder
    with pytest.raises(UserError, match="learned from other faces"):
        judges.load(folder, Wanted(folder, RealFaces("data=real", data_hash)), CPU)
    both = ["data=mixed", "data.mix=add", "data.synthetic_per_real=0.5", "data.teacher=auto"]
    every = [*both, "data.teacher_labels=all"]
    rows = [fitted(*words)[0] for words in (both, every)]
    assert [one.data for one in rows] == ["mixed-add-0.5-taught", "mixed-add-0.5-taught-all"]
    assert len({one.data_hash for one in rows}) == len({one.cell for one in rows}) == 2
    train = seen_by_fit(monkeypatch, make_job("classify", *SMALL, *every, "force=true"))["train"]
    assert not torch.equal(train.targets[:140], torch.eye(7)[train.labels[:140]].half())
    with pytest.raises(UserError, match=r"^data\.teacher: no such key of ferbench train-gan"):
        make_job("train-gan", "data=real", "data.teacher=x")


def test_the_teacher_of_a_few_shot_run_knows_its_faces_alone(made_set, teacher, fitted):
    """One that saw all of Training would hand its knowledge on."""
    few = ["data=mixed", "data.mix=add", "data.synthetic_per_real=1", "data.real_limit=0.1"]
    with pytest.raises(
        UserError,
        match=r"teacher=.*: learned from all 140 real faces; expected a "
        r"run on the Training split of data=real real_limit=0\.1",
    ):
        fitted(*few, f"data.teacher={teacher}")
    with pytest.raises(
        UserError,
        match=r"no run of a classifier on the Training split of data=real real_limit=0\.1 below "
        r".*; `ferbench classify model=cnn data=real real_limit=0\.1` trains one",
    ):
        fitted(*few, "data.teacher=auto")
    _, own = fitted("data.real_limit=0.1", "train.epochs=1")
    row, folder = fitted(*few, "data.teacher=auto")
    assert row.data == "mixed-add-1-limit-0.1-taught"
    facts = json.loads((folder / "run.json").read_text())
    assert facts["inputs"]["teacher"] == inputs.sha256_of(own / inputs.WEIGHTS)


def test_what_saw_synthetic_images_does_not_teach(teacher, start, fitted, outputs):
    with pytest.raises(UserError, match=r"^data\.teacher=.*: learned from synthetic faces"):
        fitted("data=synthetic", f"data.teacher={start}")
    _, tuned = fitted(f"start={start}", "name=tuned")
    with pytest.raises(UserError, match=rf"started from the weights of run:{start.name}; exp"):
        fitted("data=synthetic", f"data.teacher={tuned}")
    with pytest.raises(UserError, match=r"^judge=.*: started from the weights of run:"):
        inputs.open_judge(tuned, CPU)
    data_hash = results.read(outputs, ClassifierRow)[0].data_hash
    assert judges.find(outputs, data_hash) == teacher


# --- new images every epoch ----------------------------------------------------------------------


def test_every_epoch_draws_its_own_images(gan, fitted, monkeypatch, capsys):
    """With the seeds of data.draw_seed and the epoch, balanced; the newest generator is named."""
    asked, original = [], Sampler.draw

    def draw(self, seeds, labels):
        asked.append((list(seeds), list(labels)))
        return original(self, seeds, labels)

    monkeypatch.setattr(Sampler, "draw", draw)
    row, folder = fitted(*ONLINE)
    assert [seeds for seeds, _ in asked] == [seeds_of(0, 0, 42), seeds_of(0, 1, 42)]
    assert all(labels == list(np.arange(42) % 7) for _, labels in asked)
    assert (row.data, row.train_images, row.synthetic_images) == ("synthetic-online", 42, 42)
    said = capsys.readouterr().out
    assert f"data.generator={gan.parent} (the newest complete run)" in said
    assert "42 synthetic faces, synthetic ones drawn anew every epoch" in said
    facts = json.loads((folder / "run.json").read_text())
    assert facts["inputs"]["generator"] == inputs.sha256_of(gan)
    assert facts["training_set"]["synthetic"] == dict.fromkeys(inputs.CLASSES, 6)


def test_the_folder_depends_on_the_generator_s_file_and_the_draw(
    gan, make_generator, fitted, outputs, capsys
):
    first, _ = fitted(*ONLINE)
    shutil.copy(gan, outputs / "copy.safetensors")
    again, _ = fitted(*ONLINE, f"data.generator={outputs / 'copy.safetensors'}")
    assert "done already" in capsys.readouterr().out
    assert again == first
    make_generator(outputs / "other.safetensors", data="real", kimg=4.0)
    other, _ = fitted(*ONLINE, f"data.generator={outputs / 'other.safetensors'}")
    assert (other.cell, other.run != first.run) == (first.cell, True)
    drawn, _ = fitted(*ONLINE, "data.draw_seed=1")
    assert len({row.data_hash for row in (first, other, drawn)}) == 3
    assert drawn.cell != first.cell


@pytest.mark.parametrize("stop", [stop_at_step, stop_at_draw])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_stopped_and_resumed_equals_uninterrupted(
    gan, teacher, fitted, finished, make_job, monkeypatch, stop, number
):
    """With dropout, a teacher and real images; stopped in a step, or between two batches drawn."""
    monkeypatch.setattr("ferbench.gan.fresh_faces.BATCH", 16)
    words = [
        *ONLINE[1:2],
        "data=mixed",
        "data.mix=add",
        "data.synthetic_per_real=0.2",
        "data.teacher=auto",
    ]
    whole = finished("classify", *SMALL, *words, "name=whole", beside=teach_and_draw)
    with monkeypatch.context() as patch:
        stop(patch, number)
        with pytest.raises(Interrupted, match="resume="):
            classify.run(make_job("classify", *SMALL, *words, "name=parts"))
    row, parts = fitted(*words, "name=parts")
    assert row.data == "mixed-add-0.2-online-taught"
    assert_same_weights(parts, whole)


@pytest.mark.parametrize(
    ("words", "data", "counts"),
    [
        (["data=synthetic"], "synthetic-online", (140, 140)),
        (["data=mixed", "data.real_fraction=0.5"], "mixed-replace-0.5-online", (140, 70)),
        (
            ["data=mixed", "data.mix=add", "data.synthetic_per_real=0.5"],
            "mixed-add-0.5-online",
            (210, 70),
        ),
        (["data=synthetic", "data.synthetic_balance=natural"], "synthetic-online", (140, 140)),
    ],
)
def test_a_generator_stands_for_a_set_in_every_mix(gan, make_job, monkeypatch, words, data, counts):
    """As many as a set would give; without a limit as many as the base's Training split."""
    job = make_job("classify", *SMALL, *words, "data.synthetic_online=true")
    seen = seen_by_fit(monkeypatch, job)
    train = seen["train"]
    assert (job.data.label, len(train), len(train) - train.first) == (data, *counts)
    assert (train.images[train.first :] == 0).all()
    before = train.images[: train.first].clone()
    assert seen["hooks"].renew(0)
    assert torch.equal(train.images[: train.first], before)
    assert train.images[train.first :].float().std() > 1
    assert torch.bincount(train.labels[train.first :]).tolist() == [counts[1] // 7] * 7


# --- from another run ----------------------------------------------------------------------------


def test_training_starts_from_the_given_weights(start, make_job, monkeypatch):
    """Not from new ones: nothing trains before the first step."""
    words = ["train=finetune", *SMALL, f"start={start}"]
    seen = seen_by_fit(monkeypatch, make_job("classify", *words))
    want = load_weights(start / inputs.WEIGHTS)
    assert all(torch.equal(seen["weights"][name], want[name]) for name in want)


def test_at_rate_zero_the_start_s_kernels_stay(start, fitted):
    """Only the running statistics of batch normalization move."""
    _, folder = fitted(f"start={start}", "train.peak_lr=0", "train.epochs=1", "train.ema_decay=0")
    found, want = (load_weights(path / inputs.WEIGHTS) for path in (folder, start))
    kept = [name for name in want if "running" not in name and "num_batches" not in name]
    assert len(kept) > 10
    assert all(torch.equal(found[name], want[name]) for name in kept)


def test_a_tuned_run_names_its_start(start, fitted, capsys):
    tuned, folder = fitted(f"start={start}", "data.real_limit=0.1", "train=finetune", *SMALL)
    assert (tuned.data, tuned.synthetic_images) == ("real-limit-0.1", 0)
    assert tuned.pretrained == f"run:{start.name}"
    assert f"from {start.name}" in capsys.readouterr().out
    facts = json.loads((folder / "run.json").read_text())
    assert facts["inputs"]["start"] == inputs.sha256_of(start / inputs.WEIGHTS)
    plain, _ = fitted("data.real_limit=0.1", "train=finetune", *SMALL)
    assert (plain.pretrained, plain.cell != tuned.cell) == ("none", True)


def test_seeds_that_start_from_their_own_seed_share_a_cell(start, fitted):
    """Each from its own run of one experiment; from another experiment it is another cell."""
    starts = [start, fitted("data=synthetic", "seed=1")[1]]
    first, second = (
        fitted(f"start={start}", f"seed={seed}")[0] for seed, start in enumerate(starts)
    )
    assert first.cell == second.cell
    assert first.config_hash != second.config_hash
    _, other = fitted("data=synthetic", "train.batch=20")
    third, _ = fitted(f"start={other}")
    assert third.cell != first.cell


def test_a_few_shot_run_from_one_that_saw_real_faces_says_so(teacher, fitted, capsys):
    fitted(f"start={teacher}", "data.real_limit=0.1")
    said = capsys.readouterr().out
    assert f"note: start={teacher} learned from 140 real faces itself" in said


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["data=synthetic", "data.teacher=/gone"], r"^data\.teacher=/gone: expected the folder of"),
        (
            ["data=mixed", "data.real_fraction=1", "data.teacher=auto"],
            r"^data\.teacher=auto: mixed-replace-1-taught has no synthetic images; expected null",
        ),
        (
            [
                "data=mixed",
                "data.mix=augment",
                "data.synthetic_per_real=1",
                "data.synthetic_online=true",
            ],
            r"^data\.synthetic\.online=True: mixed-augment-1-online has no synthetic images; exp",
        ),
        (
            [*TAUGHT],
            r"^data\.teacher=auto: no run of a classifier on the Training split of data=real",
        ),
        ([*ONLINE], r"^data\.generator=null: no complete run below .*train-gan; expected one of f"),
        ([*ONLINE, "data.generator=/gone"], r"^data\.generator=/gone: no such file or folder; exp"),
        (["start=/gone"], r"^start=/gone: expected the folder of a complete run of ferbench class"),
    ],
)
def test_what_does_not_do_leaves_no_run(outputs, made_set, make_job, words, message):
    with pytest.raises(UserError, match=message) as refused:
        classify.run(make_job("classify", *SMALL, *words))
    assert "\n" not in str(refused.value)
    assert not (outputs / "classify").exists()


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ({"data": "toy"}, r"the generator learned from toy faces; expected real ones, as data\.b"),
        ({"classes": ()}, r"its classes are \[\]; expected \['angry'"),
        ({"classes": ("cat", "dog")}, r"its classes are \['cat', 'dog'\]; expected"),
    ],
)
def test_generators_that_do_not_do(outputs, make_generator, make_job, made, message):
    path = make_generator(outputs / "g.safetensors", **made)
    with pytest.raises(UserError, match=message):
        classify.run(make_job("classify", *SMALL, *ONLINE, f"data.generator={path}"))
    assert not (outputs / "classify").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model.width=8"], r"^start=.*: its network has model\.width=4; expected 8, as this run"),
        (["model=vgg", "model.width=4"], r"its network has model\.name=cnn; expected vgg"),
        (["model.input_px=40"], r"its network has model\.input_px=48; expected 40"),
        (
            ["model.pretrained=imagenet"],
            r"^model\.pretrained=imagenet: the weights come from start",
        ),
    ],
)
def test_another_network_cannot_start_from_a_run(teacher, make_job, words, message):
    with pytest.raises(UserError, match=message):
        classify.run(make_job("classify", *SMALL, f"start={teacher}", *words))


def test_a_start_that_changed_is_refused_when_resuming(
    teacher, make_job, change_inputs, monkeypatch, outputs
):
    job = make_job("classify", *SMALL, f"start={teacher}", "name=tuned")
    seen_by_fit(monkeypatch, job)
    (folder,) = (outputs / "classify").glob("tuned_*")
    hashes = json.loads((folder / "run.json").read_text())["inputs"]
    assert set(hashes) == {"train", "public", "private", "start"}
    change_inputs(folder, start="other")
    with pytest.raises(UserError, match=f"resume={folder}: the data have changed"):
        classify.run(replace(job, resume=str(folder)))
