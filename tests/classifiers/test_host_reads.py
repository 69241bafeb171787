"""A training step reads nothing to the host and leaves nothing new: so a CUDA graph may hold it.

Here on the CPU, where operators are the same; tests marked `gpu` in test_graphs.py capture them.
"""

from functools import partial

import pytest
import torch

from ferbench.classifiers import optim
from ferbench.classifiers.stepping import Losses
from ferbench.models import MODELS
from host_reads import HostReadError, no_host_reads
from small_steps import OPTIONS, make_faces, make_recipe, make_step, small_network


def run(step, losses, parts, numbers):
    """Train on the batches of these numbers as the loop does, its host part outside the mode."""
    group = step.learner.recipe.accumulate
    for number in numbers:
        update = (number + 1) % group == 0
        step.learner.begin_step(lr=0.01 / (number + 1), group=group, update=update)
        with no_host_reads(constants=False):
            losses.keep(number, step(*parts[number], update=update))


def places(learner):
    """Where all that outlives a step lies in memory."""
    tensors = [*learner.model.state_dict().values()]
    if learner.average is not None:
        tensors += [*learner.average.model.state_dict().values(), learner.average.share]
    for state in learner.optimizer.state.values():
        tensors += [value for value in state.values() if isinstance(value, torch.Tensor)]
    tensors += [group["lr"] for group in learner.optimizer.param_groups]
    tensors += [p.grad for p in learner.model.parameters() if p.grad is not None]
    return [tensor.data_ptr() for tensor in tensors]


def assert_capturable(step, parts):
    """Nothing is read; after two steps, nothing that stays lies in a new place; all is finite."""
    losses = Losses(len(parts), torch.device("cpu"))
    run(step, losses, parts, [0, 1])
    before = places(step.learner)
    run(step, losses, parts, range(2, len(parts)))
    assert places(step.learner) == before
    assert losses.rows.isfinite().all()
    assert (losses.rows[:, 0] > 0).all()


@pytest.mark.parametrize("soft", [False, True], ids=["labels", "soft labels"])
@pytest.mark.parametrize("name", list(OPTIONS))
def test_a_step_reads_nothing_to_the_host(name, soft):
    assert_capturable(
        *make_step(make_recipe(**OPTIONS[name]), make_faces(soft=soft), small_network())
    )


def test_an_optimizer_that_is_not_made_for_it_reads_its_count():
    """Muon as it is on a CPU: the mode would notice."""
    step, parts = make_step(make_recipe(optimizer="muon"), make_faces(), small_network())
    step.learner.optimizer = optim.build(step.learner.model, step.learner.recipe)
    with pytest.raises(HostReadError, match="_local_scalar_dense"):
        run(step, Losses(len(parts), torch.device("cpu")), parts, [0])


@pytest.mark.parametrize("name", list(MODELS))
def test_no_network_reads_anything_to_the_host(name):
    recipe = make_recipe(batch=4, peak_lr=1e-4)
    assert_capturable(*make_step(recipe, make_faces(12), small_network(name)))


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_scaled_loss_is_not_read_either(monkeypatch, optimizer):
    """float16 with the scaler of a CPU: its first steps overflow on purpose and change nothing."""
    scaler = partial(torch.amp.GradScaler, "cpu", init_scale=2.0**40)
    monkeypatch.setattr(torch.amp, "GradScaler", scaler)
    recipe = make_recipe(optimizer=optimizer, ema_decay=0)
    step, parts = make_step(recipe, make_faces(), small_network(), precision="fp16")
    before = [p.clone() for p in step.learner.model.parameters()]
    run(step, Losses(len(parts), torch.device("cpu")), parts, range(4))
    assert step.learner.scaler.get_scale() == 2.0**36
    for now, old in zip(step.learner.model.parameters(), before, strict=True):
        assert torch.equal(now, old)


@pytest.mark.parametrize(
    "read",
    [
        lambda x: x.sum().item(),
        lambda x: bool(x.any()),
        lambda x: x[x > 0],
        lambda x: x.nonzero(),
        lambda x: torch.equal(x, x),
        lambda x: x * torch.tensor(2.0),
        lambda x: x.to("meta"),
    ],
)
def test_the_mode_sees_what_it_is_for(read):
    x = torch.ones(3)
    with no_host_reads(constants=False), pytest.raises(HostReadError):
        read(x)
