"""How steps are chosen and their losses kept; what they compute is tested in test_training.py."""

import pytest
import torch

from ferbench.classifiers.learner import Learner
from ferbench.classifiers.stepping import CHECK_STEPS, Losses, TrainStep, build_step
from ferbench.errors import UserError
from ferbench.runs.precision import Precision
from small_steps import make_faces, make_recipe, small_network

CPU = torch.device("cpu")


def test_losses_are_read_once_each_in_order():
    losses = Losses(5, CPU)
    for step in range(3):
        losses.keep(step, torch.tensor([float(step), 10.0]))
    assert losses.read(2) == [[0, 10], [1, 10]]
    assert losses.read(3) == [[2, 10]]
    assert losses.read(3) == []


def test_losses_go_on_inside_an_epoch():
    """As after a resume: those before were read, and are not known here."""
    losses = Losses(5, CPU)
    losses.begin(3)
    losses.keep(3, torch.tensor([0.5, 1.0]))
    assert losses.read(4) == [[0.5, 1.0]]


def test_losses_are_due_now_and_then_and_at_the_end_of_an_epoch():
    losses = Losses(50, CPU)
    assert [done for done in range(1, 51) if losses.are_due(done)] == [
        CHECK_STEPS,
        2 * CHECK_STEPS,
        50,
    ]


@pytest.mark.parametrize("graphs", ["auto", "false", "true"])
def test_a_cpu_steps_eagerly(graphs):
    faces, recipe = make_faces(), make_recipe(graphs=graphs)
    learner = Learner(small_network(), faces.labels, recipe, Precision("fp32", "cpu"))
    if graphs == "true":
        with pytest.raises(UserError, match=r"train\.graphs=true: needs a CUDA device"):
            build_step(learner, faces, recipe)
    else:
        assert type(build_step(learner, faces, recipe)) is TrainStep


@pytest.mark.filterwarnings("ignore:.*GradScaler")
@pytest.mark.parametrize(
    ("optimizer", "precision", "refused"),
    [("muon", "fp16", True), ("muon", "bf16", False), ("adamw", "fp16", False)],
)
def test_only_muon_in_float16_cannot_be_captured(optimizer, precision, refused):
    faces, recipe = make_faces(), make_recipe(optimizer=optimizer)
    learner = Learner(small_network(), faces.labels, recipe, Precision(precision, "cuda"))
    assert (learner.refusal is not None) == refused
