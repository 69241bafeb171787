"""Captured training steps on a GPU: the same as eager ones, without waiting for the host."""

from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ferbench.classifiers import training
from ferbench.classifiers.captured import EAGER_CALLS, CapturedCall
from ferbench.classifiers.learner import Learner
from ferbench.classifiers.stepping import Losses, TrainStep, build_step
from ferbench.classifiers.training import Hooks, Settings, Stopped
from ferbench.errors import UserError
from ferbench.models import MODELS
from ferbench.runs.precision import Precision
from small_steps import OPTIONS, make_faces, make_recipe, make_step, small_network

pytestmark = pytest.mark.gpu
STEPS = 10
CLOSE = {"fp32": {"rtol": 2e-3, "atol": 2e-3}, "bf16": {"rtol": 3e-2, "atol": 3e-2}}
CLOSE["fp16"] = CLOSE["bf16"]


@pytest.fixture(autouse=True)
def same_kernels() -> Iterator[None]:
    """The same convolutions in every run, so that differences are those of atomic additions."""
    before = torch.backends.cudnn.deterministic
    torch.backends.cudnn.deterministic = True
    yield
    torch.backends.cudnn.deterministic = before


class Run:
    """Steps over a falling learning rate, captured or not, from the same seeds."""

    def __init__(self, recipe, model, *, graphs, precision="fp32", soft=False):
        self.device = torch.device("cuda", torch.cuda.current_device())
        faces = make_faces(120, device="cuda", soft=soft)
        self.step, self.parts = make_step(recipe, faces, model, precision=precision)
        self.learner = self.step.learner
        self.call = CapturedCall(self.step, self.device, on_refusal=None) if graphs else self.step
        self.losses = Losses(STEPS, self.device)
        torch.manual_seed(1)  # of dropout

    def train(self, numbers):
        """The steps of these numbers, as the loop does them."""
        accumulate = self.learner.recipe.accumulate
        for number in numbers:
            update = (number + 1) % accumulate == 0
            lr = self.learner.recipe.peak_lr / (1 + number)
            self.learner.begin_step(lr=lr, group=accumulate, update=update)
            self.losses.keep(number, self.call(*self.parts[number], update=update))
        return self

    def replays(self):
        """Whether every kind of step has its graph by now."""
        return all(one.graph is not None for one in self.call.graphs.values())


def pair(recipe, make_model, **how):
    """The same steps eagerly and captured."""
    return [Run(recipe, make_model(), graphs=g, **how).train(range(STEPS)) for g in (False, True)]


def assert_alike(eager, captured, **close):
    """Losses of every step, hits, weights' mean, dropout's generator, the averages' rate."""
    assert captured.replays()
    torch.testing.assert_close(captured.losses.rows[:, 0], eager.losses.rows[:, 0], **close)
    assert eager.losses.rows.isfinite().all()
    if eager.learner.average is not None:
        assert torch.equal(captured.learner.average.share, eager.learner.average.share)
    for key, value in eager.learner.scored.state_dict().items():
        now = captured.learner.scored.state_dict()[key]
        torch.testing.assert_close(now.float().mean(), value.float().mean(), rtol=0.05, atol=0.02)


@pytest.mark.parametrize("soft", [False, True], ids=["labels", "soft labels"])
@pytest.mark.parametrize("name", list(OPTIONS))
def test_captured_steps_are_the_eager_ones(name, soft):
    """Over a schedule, with dropout; the generator stands at the same place afterwards."""
    recipe, states = make_recipe(**OPTIONS[name]), []
    runs = []
    for graphs in (False, True):
        run = Run(recipe, small_network(), graphs=graphs, soft=soft)
        runs.append(run.train(range(STEPS)))
        states.append(torch.cuda.get_rng_state())
    assert torch.equal(*states)
    assert_alike(*runs, **CLOSE["fp32"])


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_is_captured_too(precision, optimizer):
    recipe = make_recipe(optimizer=optimizer)
    runs = pair(recipe, lambda: small_network(width=8), precision=precision)
    assert_alike(*runs, **CLOSE[precision])
    if precision == "fp16":
        scales = [run.learner.scaler.get_scale() for run in runs]
        assert scales[0] == scales[1]


@pytest.mark.parametrize("name", list(MODELS))
def test_every_network_is_captured(name):
    """Small steps, so that the rounding of atomic additions does not grow."""
    recipe = make_recipe(peak_lr=1e-4)
    runs = pair(recipe, lambda: small_network(name), precision="bf16")
    assert_alike(*runs, rtol=0.1, atol=0.1)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "muon"])
def test_without_atomic_additions_captured_steps_are_bit_for_bit_the_eager_ones(optimizer):
    def linear():
        torch.manual_seed(0)
        layers = (nn.Linear(48 * 48, 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 7))
        return nn.Sequential(nn.Flatten(), *layers)

    eager, captured = pair(make_recipe(optimizer=optimizer, mixup=0.2, cutmix=1.0), linear)
    assert captured.replays()
    assert torch.equal(captured.losses.rows, eager.losses.rows)
    for one, two in zip(
        captured.learner.scored.parameters(), eager.learner.scored.parameters(), strict=True
    ):
        assert torch.equal(one, two)


@pytest.mark.parametrize("options", [{}, {"optimizer": "muon"}, {"accumulate": 2, "mixup": 0.2}])
def test_replayed_steps_never_wait_for_the_device(options):
    run = Run(make_recipe(**options), small_network(), graphs=True)
    first = range(STEPS - 2)  # two kinds of steps with accumulate=2: each is captured by then
    run.train(first)
    assert run.replays()
    torch.cuda.set_sync_debug_mode("error")
    try:
        run.train(range(STEPS - 2, STEPS))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert run.losses.rows.isfinite().all()


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "muon"])
def test_eager_steps_never_wait_for_the_device_either(optimizer):
    """After the first: that one makes the optimizer's state."""
    run = Run(make_recipe(optimizer=optimizer), small_network(), graphs=False).train([0])
    torch.cuda.set_sync_debug_mode("error")
    try:
        run.train(range(1, 4))
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.slow
def test_a_compiled_network_is_captured():
    recipe = make_recipe(compile=True, peak_lr=1e-4)
    plain = Run(make_recipe(peak_lr=1e-4), small_network(), graphs=False).train([0])
    run = Run(recipe, small_network(), graphs=True).train(range(STEPS))
    assert run.replays()
    assert float(run.losses.rows[0, 0]) == pytest.approx(float(plain.losses.rows[0, 0]), rel=0.2)
    assert run.losses.rows.isfinite().all()


# --- a capture that fails ------------------------------------------------------------------------


def test_a_refused_capture_goes_on_eagerly_with_the_same_draws():
    """Reading a value is refused in a capture; dropout goes on where it was."""

    def reads(x):
        kept = F.dropout(x, 0.5).sum()
        return kept + float(kept)

    x, reasons = torch.ones(1000, device="cuda"), []
    torch.manual_seed(0)
    want = [float(reads(x)) for _ in range(EAGER_CALLS + 3)]
    torch.manual_seed(0)
    call = CapturedCall(reads, x.device, on_refusal=reasons.append)
    found = [float(call(x)) for _ in range(EAGER_CALLS + 3)]
    assert found == want
    assert len(reasons) == 1
    assert torch.cuda.current_stream() == torch.cuda.default_stream()


def test_a_learner_goes_on_after_a_refused_capture():
    """Each step counts once: as with no capture at all."""
    recipe = make_recipe(mixup=0.2)
    eager = Run(recipe, small_network(), graphs=False).train(range(STEPS))
    run, reasons = Run(recipe, small_network(), graphs=False), []

    def reads(*part, update):
        row = run.step(*part, update=update)
        return row * (1 + 0 * float(row[0]))

    def go_on(reason):
        run.learner.forget_step()
        reasons.append(reason)

    run.call = CapturedCall(reads, run.device, on_refusal=go_on)
    run.train(range(STEPS))
    assert len(reasons) == 1
    torch.testing.assert_close(run.losses.rows, eager.losses.rows, **CLOSE["fp32"])


def test_muon_in_float16_stays_eager_and_says_why(capsys):
    faces, precision = make_faces(device="cuda"), Precision("fp16", "cuda")
    for graphs in ("auto", "true"):
        recipe = make_recipe(optimizer="muon", graphs=graphs)
        learner = Learner(small_network().cuda(), faces.labels, recipe, precision)
        if graphs == "auto":
            assert type(build_step(learner, faces, recipe)) is TrainStep
            assert capsys.readouterr().out.count("\n") == 1
        else:
            with pytest.raises(UserError, match=r"train\.graphs=true: Muon in float16"):
                build_step(learner, faces, recipe)


# --- the whole loop ------------------------------------------------------------------------------


def fit(state, *, graphs, stop=lambda: False, **changes):
    """training.fit of the small cnn, three epochs of 8 steps."""
    recipe = make_recipe(graphs=graphs, mixup=0.2, ema_decay=0.9, peak_lr=0.003, **changes)
    faces = make_faces(96, device="cuda")
    model = small_network(width=8).cuda()
    torch.manual_seed(1)
    return training.fit(
        model,
        faces,
        faces,
        Settings(recipe, 0, Precision("fp32", "cuda")),
        state=state,
        hooks=Hooks(on_epoch=lambda history: None, should_stop=stop),
    )


def train_losses(found):
    return [row["train_loss"] for row in found.history]


def test_a_captured_training_is_the_eager_one(tmp_path):
    eager = fit(tmp_path / "eager.pt", graphs="false")
    captured = fit(tmp_path / "captured.pt", graphs="true")
    assert train_losses(captured) == pytest.approx(train_losses(eager), rel=5e-3)


@pytest.mark.parametrize("options", [{}, {"optimizer": "sgd"}, {"accumulate": 2}])
def test_stopped_among_replayed_steps_and_resumed_equals_uninterrupted(tmp_path, options):
    """Stopped before the capture, after it, and in a later epoch; then with graphs and without."""
    want = train_losses(fit(tmp_path / "whole.pt", graphs="true", **options))
    for last in ("true", "false"):
        for stop_step in (2, 3, 7):
            count = iter(range(1, 1000))
            stop = lambda at=stop_step, count=count: next(count) == at  # noqa: E731
            with pytest.raises(Stopped):
                fit(tmp_path / f"{last}.pt", graphs="true", stop=stop, **options)
        found = train_losses(fit(tmp_path / f"{last}.pt", graphs=last, **options))
        assert found == pytest.approx(want, rel=5e-3)
