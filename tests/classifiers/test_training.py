"""The training loop on small networks and made faces.

Run as a script it starts the processes that the SIGKILL test kills, see `start_runs`.
"""

import math
import os
import random
import signal
import subprocess
import sys
import time
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import yaml
from torch import nn

from ferbench import runs
from ferbench.classifiers import batches, training
from ferbench.classifiers.batches import DeviceFaces
from ferbench.classifiers.prediction import predict
from ferbench.classifiers.training import STATE_FORMAT, Hooks, Settings, Stopped
from ferbench.config.yaml_files import CONF
from ferbench.errors import UserError
from ferbench.models import NetworkOptions, build
from ferbench.recipes.classifier import Augment, Recipe
from ferbench.runs import checkpoint
from ferbench.runs.precision import Precision

FP32 = Precision("fp32", "cpu")
STILL = Augment(
    flip=0, rotate_degrees=0, zoom=0, shift=0, shear_degrees=0, brightness=0, contrast=0, erase=0
)
ALL_OF_IT = {"mixup": 0.2, "cutmix": 1.0, "ema_decay": 0.9, "clip_norm": 1.0}
RECIPES = {
    "adamw, averaged, mixed": ALL_OF_IT,
    "sgd, one cycle, accumulated, balanced": {
        "optimizer": "sgd",
        "peak_lr": 0.05,
        "schedule": "one_cycle",
        "accumulate": 4,
        "sampling": "balanced",
        "class_weights": "sqrt_inverse",
        "ema_decay": 0,
    },
    "muon": {"optimizer": "muon", "momentum": 0.95},
    "constant rate, last epoch": {"schedule": "constant", "select": "last", "clip_norm": 0},
}
TIMES = ("seconds", "images_per_second")


def make_recipe(**changes):
    """conf/train/default.yaml with three epochs of batches of 16."""
    values = yaml.safe_load((CONF / "train/default.yaml").read_text())
    small = {"epochs": 3, "batch": 16, "warmup_epochs": 0.5, "peak_lr": 0.01}
    return Recipe(**{**values, "augment": Augment(**values["augment"]), **small, **changes})


def make_faces(n, *, seed=0, classes=7):
    """Noise with a bright bar whose height tells the class."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    images = rng.integers(0, 120, (n, 48, 48), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[6 * label + 2 : 6 * label + 7] += 100
    return batches.to_device(images, labels, torch.device("cpu"))


def small_cnn(width=4, tune="all"):
    options = NetworkOptions(
        "cnn",
        stem="small",
        input_px=48,
        pretrained="none",
        tune=tune,
        dropout=0.3,
        width=width,
    )
    return build(options, classes=7)


def fit(
    state,
    recipe,
    *,
    seed=0,
    model=None,
    train=None,
    precision=FP32,
    stop=lambda: False,
    on_epoch=lambda h: None,
    on_start=None,
    renew=None,
):
    """One call of training.fit as `ferbench classify` does it."""
    runs.seed_everything(seed)
    return training.fit(
        small_cnn() if model is None else model,
        make_faces(100) if train is None else train,
        make_faces(40, seed=1),
        Settings(recipe, seed, precision),
        state=state,
        hooks=Hooks(on_epoch, stop, on_start, renew),
    )


def stop_at(*calls):
    """A should_stop that says yes at the given calls, counted from 1 over all runs."""
    count = iter(range(1, 10_000))
    return lambda: next(count) in calls


def without_times(history):
    return [{key: row[key] for key in row if key not in TIMES} for row in history]


def assert_same(found, want):
    """Every weight bit for bit, every number of every epoch, the epoch that was best."""
    assert found.weights.keys() == want.weights.keys()
    assert all(torch.equal(found.weights[key], want.weights[key]) for key in want.weights)
    assert without_times(found.history) == without_times(want.history)
    assert found.best_epoch == want.best_epoch


# --- resuming ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(RECIPES))
def test_stopped_and_resumed_equals_uninterrupted(tmp_path, name):
    """Stopped in the first epoch, at an epoch's last step, at the next one's first, and later."""
    recipe = make_recipe(**RECIPES[name])
    want = fit(tmp_path / "whole.pt", recipe)
    steps = math.ceil(6 / recipe.accumulate)
    stop = stop_at(1, steps, steps + 1, 2 * steps + 1)
    for _ in range(4):
        with pytest.raises(Stopped):
            fit(tmp_path / "parts.pt", recipe, stop=stop)
    assert_same(fit(tmp_path / "parts.pt", recipe, stop=stop), want)


def test_stopped_after_every_single_step_equals_uninterrupted(tmp_path):
    recipe = make_recipe(epochs=2, **ALL_OF_IT)
    want, stops = fit(tmp_path / "whole.pt", recipe), 0
    while True:
        try:
            found = fit(tmp_path / "parts.pt", recipe, stop=lambda: True)
            break
        except Stopped:
            stops += 1
    assert stops == 12
    assert_same(found, want)


def test_each_epoch_is_renewed_before_its_first_step(tmp_path):
    """Once an epoch, and once more on going on inside one, and its images are trained on."""
    recipe, asked = make_recipe(**ALL_OF_IT), []
    whole, parts = make_faces(100), make_faces(100)
    originals = whole.images.clone()

    def renewal(train):
        def renew(epoch):
            asked.append(epoch)
            train.images[:] = originals.roll(48 * epoch, 0)
            return True

        return renew

    want = fit(tmp_path / "whole.pt", recipe, train=whole, renew=renewal(whole))
    assert asked == [0, 1, 2]
    asked.clear()
    with pytest.raises(Stopped):
        fit(tmp_path / "p.pt", recipe, train=parts, renew=renewal(parts), stop=stop_at(8))
    assert_same(fit(tmp_path / "p.pt", recipe, train=parts, renew=renewal(parts)), want)
    assert asked == [0, 1, 1, 2]
    assert not torch.equal(
        want.weights["network.head.weight"],
        fit(tmp_path / "same.pt", recipe).weights["network.head.weight"],
    )


def test_a_renewal_that_was_stopped_leaves_a_state_to_go_on_from(tmp_path):
    """Before the first step of the first epoch, and between two epochs."""
    recipe, want = make_recipe(epochs=2), fit(tmp_path / "whole.pt", make_recipe(epochs=2))
    for ready in (lambda epoch: False, lambda epoch: epoch < 1):
        with pytest.raises(Stopped):
            fit(tmp_path / "parts.pt", recipe, renew=ready)
    assert_same(fit(tmp_path / "parts.pt", recipe, renew=lambda epoch: True), want)


def test_the_epochs_done_are_told_before_the_first_step(tmp_path):
    """Once for a new run, once for one that goes on in its second epoch."""
    recipe, told = make_recipe(epochs=2), []

    def begin(epochs_done):
        told.append(epochs_done)
        if len(told) == 1:
            assert not (tmp_path / "state.pt").exists()

    with pytest.raises(Stopped):
        fit(tmp_path / "state.pt", recipe, stop=stop_at(8), on_start=begin)
    fit(tmp_path / "state.pt", recipe, on_start=begin)
    assert told == [0, 1]


@pytest.mark.parametrize("where", ["after the state", "before the state"])
def test_ended_between_epochs_and_resumed_equals_uninterrupted(tmp_path, where):
    """A process that ends around the writing of the second state, with no chance to save."""
    recipe, epochs = make_recipe(**ALL_OF_IT), []

    def die_at_step():
        if where == "after the state" and len(epochs) == 2:
            raise SystemExit

    def die_at_epoch(history):
        epochs.append(len(history))
        if where == "before the state" and len(epochs) == 2:
            raise SystemExit

    want = fit(tmp_path / "whole.pt", recipe)
    with pytest.raises(SystemExit):
        fit(tmp_path / "parts.pt", recipe, stop=die_at_step, on_epoch=die_at_epoch)
    found = fit(tmp_path / "parts.pt", recipe, on_epoch=lambda h: epochs.append(len(h)))
    assert_same(found, want)
    assert epochs == ([1, 2, 3] if where == "after the state" else [1, 2, 2, 3])


def test_a_finished_state_gives_the_result_again(tmp_path):
    want = fit(tmp_path / "state.pt", make_recipe())
    epochs = []
    assert_same(fit(tmp_path / "state.pt", make_recipe(), on_epoch=epochs.append), want)
    assert epochs == []


def test_another_runs_state_is_refused(tmp_path):
    with pytest.raises(Stopped):
        fit(tmp_path / "state.pt", make_recipe(), stop=lambda: True)
    with pytest.raises(UserError, match=r"state\.pt: not a state of this run.*size mismatch"):
        fit(tmp_path / "state.pt", make_recipe(), model=small_cnn(width=5))
    checkpoint.save_state(tmp_path / "state.pt", {"position": {}}, format_name=STATE_FORMAT)
    with pytest.raises(UserError, match="not a state of this run"):
        fit(tmp_path / "state.pt", make_recipe())


def test_a_state_of_another_format_is_refused_in_one_line(tmp_path):
    """One of the versions before there were formats, and one of a later version."""
    with pytest.raises(Stopped):
        fit(tmp_path / "state.pt", make_recipe(), stop=lambda: True)
    state = checkpoint.load_plain(tmp_path / "state.pt")
    assert state["format"] == STATE_FORMAT
    for form in (None, "ferbench classifier state 99"):
        torch.save({**state, "format": form}, tmp_path / "state.pt")
        with pytest.raises(UserError, match=r"state\.pt: a state .*; move the file away") as caught:
            fit(tmp_path / "state.pt", make_recipe())
        assert "\n" not in str(caught.value)


def killed_run(state, result):
    """Many short epochs, so that a kill often falls into the writing of the state."""
    recipe = make_recipe(epochs=25, batch=32, **ALL_OF_IT)
    found = fit(state, recipe, train=make_faces(64))
    left = {"weights": found.weights, "history": found.history, "best_epoch": found.best_epoch}
    checkpoint.save_state(result, left, format_name="result")


def start_runs():
    """A process of its own for every line "STATE RESULT" of the input; its id, then how it ended.

    Forked, so that they need not import everything again, which takes longer than the runs.
    """
    import_module("torch._dynamo")  # as the first optimizer does
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            killed_run(*map(Path, line.rstrip("\n").split("\t")))
            os._exit(0)
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


@pytest.fixture
def starter():
    """A process that runs `start_runs`."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, __file__], **pipes) as process:
        yield process
        process.stdin.close()


@pytest.mark.slow
def test_sigkill_at_any_moment_leaves_a_whole_state(tmp_path, starter):
    """Killed three times at random moments, it still ends as the uninterrupted run does."""
    generator, state, result = random.Random(0), tmp_path / "state.pt", tmp_path / "result.pt"

    def start():
        print(state, result, sep="\t", file=starter.stdin, flush=True)
        return int(starter.stdout.readline())

    def ended():
        return int(starter.stdout.readline())

    epochs = [0]
    for _ in range(3):
        before = state.stat().st_mtime_ns if state.exists() else 0
        process = start()
        while not state.exists() or state.stat().st_mtime_ns == before:
            os.kill(process, 0)  # ProcessLookupError if it ended before it could be killed
            time.sleep(0.01)
        time.sleep(generator.uniform(0, 0.2))
        os.kill(process, signal.SIGKILL)
        assert ended() == -signal.SIGKILL
        epochs.append(checkpoint.load_plain(state)["position"]["epoch"])
    assert epochs == sorted(epochs)
    assert 0 < epochs[1] < 25
    start()
    assert ended() == 0
    found = checkpoint.load_plain(result)
    killed_run(tmp_path / "whole.pt", tmp_path / "whole_result.pt")
    want = checkpoint.load_plain(tmp_path / "whole_result.pt")
    assert all(torch.equal(found["weights"][key], want["weights"][key]) for key in want["weights"])
    assert without_times(found["history"]) == without_times(want["history"])
    assert found["best_epoch"] == want["best_epoch"]


# --- seeds ---------------------------------------------------------------------------------------


def test_a_seed_fixes_the_result_and_another_one_changes_it(tmp_path):
    recipe = make_recipe(epochs=1, **ALL_OF_IT)
    one, same, other = (
        fit(tmp_path / f"{i}.pt", recipe, seed=seed) for i, seed in enumerate((5, 5, 6))
    )
    assert_same(same, one)
    key = "network.head.weight"
    assert not torch.equal(one.weights[key], other.weights[key])


def test_the_data_seed_alone_changes_the_result(tmp_path):
    """The same initial weights and dropout, other batches."""
    found = []
    for seed in (0, 1):
        torch.manual_seed(0)
        done = training.fit(
            small_cnn(),
            make_faces(100),
            make_faces(40, seed=1),
            Settings(make_recipe(epochs=1), seed, FP32),
            state=tmp_path / f"{seed}.pt",
            hooks=Hooks(on_epoch=lambda h: None, should_stop=lambda: False),
        )
        found.append(done.weights["network.head.weight"])
    assert not torch.equal(*found)


# --- what is learned -----------------------------------------------------------------------------


def test_a_small_network_learns_64_faces_by_heart(tmp_path):
    train = make_faces(64)
    recipe = make_recipe(epochs=12, augment=STILL, label_smoothing=0, ema_decay=0)
    model = small_cnn(width=8)
    found = fit(tmp_path / "state.pt", recipe, model=model, train=train)
    model.load_state_dict(found.weights)
    logits = predict(model, train.images, batch=64, precision=FP32, tta="none")
    assert (logits.argmax(1) == train.labels.numpy()).all()
    assert found.history[-1]["train_loss"] < found.history[0]["train_loss"] / 3


def test_the_weights_that_are_returned_are_those_that_were_scored(tmp_path):
    """The averaged weights of the best epoch give that epoch's numbers again."""
    model, held_out = small_cnn(), make_faces(40, seed=1)
    found = fit(tmp_path / "state.pt", make_recipe(ema_decay=0.8), model=model)
    best = found.history[found.best_epoch - 1]
    current = {key: value.clone() for key, value in model.state_dict().items()}
    assert not torch.equal(current["network.head.weight"], found.weights["network.head.weight"])
    model.load_state_dict(found.weights)
    logits = torch.from_numpy(predict(model, held_out.images, batch=7, precision=FP32, tta="none"))
    assert float(F.cross_entropy(logits, held_out.labels)) == pytest.approx(best["public_loss"])
    hits = logits.argmax(1) == held_out.labels
    assert float(hits.double().mean()) == best["public_accuracy"]
    assert best["public_accuracy"] == max(row["public_accuracy"] for row in found.history)


@pytest.mark.parametrize(
    ("select", "pick"),
    [
        ("loss", lambda rows: np.argmin([row["public_loss"] for row in rows])),
        ("macro_f1", lambda rows: np.argmax([row["public_macro_f1"] for row in rows])),
        ("last", lambda rows: len(rows) - 1),
    ],
)
def test_the_epoch_is_selected_by_what_was_asked_for(tmp_path, select, pick):
    found = fit(tmp_path / "state.pt", make_recipe(epochs=4, peak_lr=0.03, select=select))
    assert found.best_epoch == pick(found.history) + 1


def test_training_stops_when_nothing_is_gained_for_long_enough(tmp_path):
    """A rate of 0 gains nothing after the first epoch: 1 + patience epochs."""
    flat = nn.Sequential(nn.Flatten(), nn.Linear(48 * 48, 7))
    recipe = make_recipe(epochs=9, peak_lr=0, weight_decay=0, ema_decay=0, patience_epochs=2)
    found = fit(tmp_path / "state.pt", recipe, model=flat)
    assert (found.best_epoch, len(found.history)) == (1, 3)
    again = fit(
        tmp_path / "state.pt", recipe, model=nn.Sequential(nn.Flatten(), nn.Linear(2304, 7))
    )
    assert len(again.history) == 3


def test_scoring_now_and_then_changes_no_weight(tmp_path):
    """Epochs 2, 4 and the last: scored and saved; the others have no public scores."""
    recipe = make_recipe(epochs=5, score_epochs=2, select="last")
    saved = []
    often = fit(tmp_path / "often.pt", make_recipe(epochs=5, select="last"))
    found = fit(
        tmp_path / "state.pt",
        recipe,
        on_epoch=lambda h: saved.append((tmp_path / "state.pt").exists()),
    )
    assert ["public_loss" in row for row in found.history] == [False, True, False, True, True]
    assert saved == [False, False, True, True, True]
    assert found.best_epoch == 5
    torch.testing.assert_close(found.weights, often.weights, rtol=0, atol=0)


def test_patience_ends_only_where_faces_were_scored(tmp_path):
    """Nothing is gained after the first look, at epoch 3; the next is at epoch 6."""
    flat = nn.Sequential(nn.Flatten(), nn.Linear(48 * 48, 7))
    still = {"peak_lr": 0, "weight_decay": 0, "ema_decay": 0}
    recipe = make_recipe(epochs=20, patience_epochs=1, score_epochs=3, **still)
    found = fit(tmp_path / "state.pt", recipe, model=flat)
    assert (found.best_epoch, len(found.history)) == (3, 6)


def test_the_history_counts_images_and_follows_the_schedule(tmp_path):
    """100 faces in batches of 16 are 96 an epoch; the cosine ends at 0."""
    states = []
    found = fit(tmp_path / "state.pt", make_recipe(), on_epoch=lambda h: states.append(len(h)))
    assert states == [row["epoch"] for row in found.history] == [1, 2, 3]
    assert found.history[-1]["lr"] == 0
    assert found.history[0]["lr"] == pytest.approx(0.01 * (1 + math.cos(math.pi * 3 / 15)) / 2)
    position = checkpoint.load_plain(tmp_path / "state.pt")["position"]
    assert position["train_images"] == 3 * 96
    for row in found.history:
        assert (row["train_accuracy"] * 96) % 1 == pytest.approx(0, abs=1e-6)


def test_the_head_alone_learns_when_the_rest_is_frozen(tmp_path):
    model = small_cnn(tune="head")
    before = {key: value.clone() for key, value in model.state_dict().items()}
    found = fit(tmp_path / "state.pt", make_recipe(epochs=1), model=model)
    for weights in (model.state_dict(), found.weights):
        changed = {key for key in before if not torch.equal(before[key], weights[key])}
        assert changed == {"network.head.weight", "network.head.bias"}


# --- gradients -----------------------------------------------------------------------------------


def flat_network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(48 * 48, 7))


def test_accumulated_batches_equal_one_large_batch(tmp_path):
    """4 batches of 16, two to a step, and 2 batches of 32 are the same two steps."""
    found = []
    for batch, accumulate in ((16, 2), (32, 1)):
        recipe = make_recipe(
            epochs=1, batch=batch, accumulate=accumulate, schedule="constant", warmup_epochs=0
        )
        done = fit(tmp_path / f"{batch}.pt", recipe, model=flat_network(), train=make_faces(64))
        found.append(done.weights["1.weight"])
    torch.testing.assert_close(*found)


def test_the_last_incomplete_group_counts_in_full(tmp_path):
    """3 batches in groups of 2: the step after the third is that of an ordinary batch."""
    recipe = make_recipe(
        epochs=1,
        accumulate=2,
        optimizer="sgd",
        momentum=0,
        weight_decay=0,
        schedule="constant",
        warmup_epochs=0,
        ema_decay=0,
        clip_norm=0,
    )
    train, model = make_faces(48), flat_network()
    found = fit(tmp_path / "state.pt", recipe, model=flat_network(), train=train)
    one, two, three = batches.training_batches(train, recipe, seed=0, epoch=0, first=0)
    for group in ((one, two), (three,)):
        each = [F.cross_entropy(model(b.images), b.labels, label_smoothing=0.1) for b in group]
        gradients = torch.autograd.grad(sum(each) / len(each), list(model.parameters()))
        for parameter, gradient in zip(model.parameters(), gradients, strict=True):
            parameter.data -= recipe.peak_lr * gradient
    torch.testing.assert_close(found.weights, dict(model.state_dict()))


def test_clipping_bounds_a_step(tmp_path):
    """One step of plain SGD: the rate times a gradient of norm 0.5 at most."""
    lengths = {}
    for clip_norm in (0, 0.5):
        recipe = make_recipe(
            epochs=1,
            batch=64,
            optimizer="sgd",
            momentum=0,
            weight_decay=0,
            schedule="constant",
            warmup_epochs=0,
            ema_decay=0,
            clip_norm=clip_norm,
        )
        weights = fit(
            tmp_path / f"{clip_norm}.pt", recipe, model=flat_network(), train=make_faces(64)
        ).weights
        start = flat_network().state_dict()
        steps = [(weights[key] - start[key]).flatten() for key in start]
        lengths[clip_norm] = float(torch.cat(steps).norm()) / recipe.peak_lr
    assert lengths[0.5] == pytest.approx(0.5, rel=1e-3)
    assert lengths[0] > 1


class BreaksAt(nn.Module):
    """A flat network whose output is not a number from one training step on, or when scored."""

    def __init__(self, step):
        super().__init__()
        self.flat, self.step, self.calls = flat_network(), step, 0

    def forward(self, images):
        self.calls += self.training
        broken = self.calls == self.step if self.training else self.step == 0
        return self.flat(images) * (math.nan if broken else 1)


@pytest.mark.parametrize(("call", "where"), [(1, "epoch 1, step 1"), (9, "epoch 2, step 3")])
def test_a_loss_that_is_not_finite_ends_the_run_with_epoch_and_step(tmp_path, call, where):
    recipe = make_recipe(ema_decay=0)
    pattern = rf"^train\.peak_lr=\S+ train\.weight_decay=\S+: the loss is nan at {where}; expected"
    with pytest.raises(FloatingPointError, match=pattern) as broken:
        fit(tmp_path / "state.pt", recipe, model=BreaksAt(call))
    last = f"the last good state is {tmp_path / 'state.pt'}"
    assert str(broken.value).endswith(last if call == 9 else "no state was saved before")


def test_a_held_out_loss_that_is_not_finite_ends_the_run(tmp_path):
    with pytest.raises(FloatingPointError, match="nan on the held-out faces after epoch 1;"):
        fit(tmp_path / "state.pt", make_recipe(ema_decay=0), model=BreaksAt(0))


# --- class balance and label smoothing -----------------------------------------------------------


class Prior(nn.Module):
    """Seven logits that do not look at the image: training finds the shares of the classes."""

    def __init__(self):
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(1, 7))

    def forward(self, images):
        return self.logits.expand(len(images), 7)


COUNTS = np.array([27, 4, 8, 8, 4, 4, 8])


@pytest.mark.parametrize(
    ("changes", "want"),
    [
        ({}, COUNTS / 63),
        ({"class_weights": "inverse"}, np.ones(7) / 7),
        ({"class_weights": "sqrt_inverse"}, np.sqrt(COUNTS) / np.sqrt(COUNTS).sum()),
        ({"sampling": "balanced"}, np.ones(7) / 7),
        ({"label_smoothing": 0.3}, 0.7 * COUNTS / 63 + 0.3 / 7),
    ],
    ids=lambda value: ",".join(value) or "none" if isinstance(value, dict) else "",
)
def test_class_balance_and_smoothing_move_the_learned_shares(tmp_path, changes, want):
    """The minimum of the loss: shares by count, by weight times count, by draws, or smoothed.

    inverse: weight 1 / n, so every class counts alike; sqrt_inverse: n / sqrt(n).
    """
    faces = make_faces(63)
    train = DeviceFaces(faces.images, torch.from_numpy(np.repeat(np.arange(7), COUNTS)))
    plain = {"batch": 63, "augment": STILL, "ema_decay": 0, "clip_norm": 0, "weight_decay": 0}
    steps = {"epochs": 120, "optimizer": "sgd", "peak_lr": 2.0, "schedule": "constant"}
    recipe = make_recipe(
        **{**plain, **steps, "label_smoothing": 0, "select": "last", "score_epochs": 120, **changes}
    )
    found = fit(tmp_path / "state.pt", recipe, model=Prior(), train=train)
    np.testing.assert_allclose(found.weights["logits"].softmax(1)[0], want, atol=2e-3)


# --- number formats, compiled, and on a GPU ------------------------------------------------------


def test_bfloat16_trains_as_float32_does_to_its_rounding(tmp_path):
    """Eight bits of mantissa: other numbers, near ones; weights and averages stay float32."""
    recipe = make_recipe(epochs=2, ema_decay=0.9)
    exact = fit(tmp_path / "exact.pt", recipe)
    rounded = fit(tmp_path / "rounded.pt", recipe, precision=Precision("bf16", "cpu"))
    for one, two in zip(exact.history, rounded.history, strict=True):
        assert one["train_loss"] != two["train_loss"]
        assert two["train_loss"] == pytest.approx(one["train_loss"], rel=0.03)
    assert {w.dtype for w in rounded.weights.values()} == {torch.float32, torch.int64}


def test_compiled_training_keeps_the_names_and_the_numbers(tmp_path, monkeypatch):
    """With Dynamo's eager backend, which needs no compiler; resuming crosses over both ways."""
    want = fit(tmp_path / "plain.pt", make_recipe(epochs=1))
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    recipe = make_recipe(epochs=1, compile=True)
    with pytest.raises(Stopped):
        fit(tmp_path / "compiled.pt", recipe, stop=stop_at(3))
    found = fit(tmp_path / "compiled.pt", make_recipe(epochs=1))
    assert found.weights.keys() == want.weights.keys()
    torch.testing.assert_close(found.weights, want.weights)


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["fp32", "bf16", "fp16"])
def test_a_gpu_learns_in_every_format(tmp_path, name):
    train = make_faces(64)
    there = DeviceFaces(train.images.cuda(), train.labels.cuda())
    torch.manual_seed(0)
    found = training.fit(
        small_cnn(width=8).cuda(),
        there,
        there,
        Settings(make_recipe(epochs=12, ema_decay=0.5), 0, Precision(name, "cuda")),
        state=tmp_path / "state.pt",
        hooks=Hooks(on_epoch=lambda h: None, should_stop=lambda: False),
    )
    assert found.history[found.best_epoch - 1]["public_accuracy"] > 0.9
    assert all(value.device.type == "cpu" for value in found.weights.values())


if __name__ == "__main__":
    start_runs()
