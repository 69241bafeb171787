import copy
import math

import pytest
import torch
import yaml
from torch import nn

from ferbench.classifiers import optim
from ferbench.config.yaml_files import CONF
from ferbench.recipes.classifier import Augment, Recipe


def make_recipe(**changes):
    values = yaml.safe_load((CONF / "train/default.yaml").read_text())
    return Recipe(**{**values, "augment": Augment(**values["augment"]), **changes})


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3))


# --- optimizers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["adamw", "sgd", "muon"])
def test_norms_and_biases_do_not_decay(network, name):
    """Without gradients from the data a step shrinks kernels and matrices alone."""
    optimizer = optim.build(network, make_recipe(optimizer=name, weight_decay=0.5, peak_lr=0.1))
    before = copy.deepcopy(network.state_dict())
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for key, value in network.named_parameters():
        shrunk = value.ndim > 1
        assert torch.equal(value, before[key]) != shrunk, key
        assert torch.equal(value.sign(), before[key].sign())


def test_frozen_weights_are_left_out(network):
    network[0].requires_grad_(False)
    optimizer = optim.build(network, make_recipe())
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert held == {id(p) for p in network.parameters() if p.requires_grad}


def test_sgd_takes_nesterov_steps():
    """Gradient 1, rate 0.1, momentum 0.9: first -0.1 (1 + 0.9), then -0.1 (1 + 0.9 * 1.9)."""
    weight = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(weight.weight)
    optimizer = optim.build(
        weight, make_recipe(optimizer="sgd", peak_lr=0.1, momentum=0.9, weight_decay=0)
    )
    for _ in range(2):
        weight.weight.grad = torch.ones(1, 1)
        optimizer.step()
    assert weight.weight.item() == pytest.approx(-0.1 * 1.9 - 0.1 * (1 + 0.9 * 1.9))


def test_muon_steps_of_kernels_are_orthogonal_and_sized_as_adamw_ones():
    """All singular values of a step are alike: 0.2 sqrt(longer side) times the rate."""
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 8, 3)
    optimizer = optim.build(conv, make_recipe(optimizer="muon", peak_lr=0.1, weight_decay=0))
    before = conv.weight.detach().flatten(1).clone()
    conv.weight.grad, conv.bias.grad = torch.randn_like(conv.weight), torch.ones(8)
    bias = conv.bias.detach().clone()
    optimizer.step()
    step = torch.linalg.svdvals(conv.weight.detach().flatten(1) - before)
    assert step / (0.1 * 0.2 * math.sqrt(27)) == pytest.approx(1, abs=0.35)
    assert conv.bias.detach() - bias == pytest.approx(-0.19, abs=1e-3)  # AdamW's: -0.1 (1 + 0.9)


def test_the_rate_reaches_every_group(network):
    optimizer = optim.build(network, make_recipe())
    optim.set_lr(optimizer, 0.125)
    assert [group["lr"] for group in optimizer.param_groups] == [0.125, 0.125]


# --- schedules -----------------------------------------------------------------------------------


def factors(schedule, steps=100, warmup=10):
    return [
        optim.lr_factor(i, steps=steps, warmup_steps=warmup, schedule=schedule)
        for i in range(steps)
    ]


def test_cosine_rises_in_equal_steps_and_falls_as_half_a_cosine():
    """Warm-up step i: (i + 1) / 11; then (1 + cos(pi (i - 10) / 90)) / 2."""
    found = factors("cosine")
    assert found[:10] == pytest.approx([(i + 1) / 11 for i in range(10)])
    assert found[10] == 1.0
    assert found[10:] == pytest.approx([(1 + math.cos(math.pi * i / 90)) / 2 for i in range(90)])
    assert optim.lr_factor(100, steps=100, warmup_steps=10, schedule="cosine") == 0


def test_one_cycle_goes_from_a_25th_to_the_peak_and_to_a_ten_thousandth():
    found = factors("one_cycle", warmup=30)
    assert 1 / 25 < found[0] < 0.05
    assert found[30] == max(found) == 1.0
    assert found[:31] == sorted(found[:31])
    assert found[30:] == sorted(found[30:], reverse=True)
    end = optim.lr_factor(100, steps=100, warmup_steps=30, schedule="one_cycle")
    assert end == pytest.approx(1e-4)


def test_constant_stays_at_the_peak_after_the_warm_up():
    found = factors("constant", warmup=3)
    assert found[:3] == [0.25, 0.5, 0.75]
    assert set(found[3:]) == {1.0}


@pytest.mark.parametrize("schedule", ["cosine", "one_cycle", "constant"])
@pytest.mark.parametrize(("steps", "warmup"), [(1, 0), (1, 1), (7, 7), (50, 0)])
def test_factors_are_positive_shares_for_any_length(schedule, steps, warmup):
    assert all(0 < factor <= 1 for factor in factors(schedule, steps, warmup))


# --- averaged weights ----------------------------------------------------------------------------


def test_the_average_follows_its_closed_form():
    """m <- k m + (1 - k) w with k = min(decay, (1 + n) / (10 + n)), n = 0, 1, ..."""
    weight = nn.Linear(1, 1, bias=False)
    nn.init.constant_(weight.weight, 5.0)
    average, want = optim.AveragedWeights(weight, decay=0.2), 5.0
    for n in range(12):
        nn.init.constant_(weight.weight, float(n))
        average.update(weight)
        keep = min(0.2, (1 + n) / (10 + n))
        want = keep * want + (1 - keep) * n
        assert average.model.weight.item() == pytest.approx(want, rel=1e-5)
    assert keep == 0.2  # the warm-up is over by then, and was not before the second update


def test_running_statistics_are_averaged_and_counts_copied(network):
    average = optim.AveragedWeights(network, decay=0.5)
    before = copy.deepcopy(average.model.state_dict())
    for _ in range(4):
        network(torch.randn(5, 1, 4, 4))
        average.update(network)
    after, now = average.model.state_dict(), network.state_dict()
    mean, old, new = (part["1.running_mean"] for part in (after, before, now))
    assert not torch.equal(mean, old)
    assert not torch.equal(mean, new)
    assert after["1.num_batches_tracked"] == now["1.num_batches_tracked"] == 4
    assert after["1.num_batches_tracked"].dtype == torch.int64


def test_the_average_does_not_touch_the_model(network):
    before = copy.deepcopy(network.state_dict())
    average = optim.AveragedWeights(network, decay=0.9)
    average.model[0].weight.data.zero_()
    average.update(network)
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


def test_a_restored_average_goes_on_as_before(network):
    one, other = (optim.AveragedWeights(network, decay=0.99) for _ in range(2))
    one.update(network)
    network[3].weight.data.add_(1)
    other.load_state_dict(copy.deepcopy(one.state_dict()))
    for average in (one, other):
        average.update(network)
    found, want = other.model.state_dict(), one.model.state_dict()
    assert all(torch.equal(found[key], want[key]) for key in want)
    assert other.updates == one.updates == 2


# --- for CUDA graphs -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["adamw", "sgd", "muon"])
def test_a_rate_that_is_a_tensor_gives_the_same_steps(network, name):
    """Over a schedule; float32 rates differ from the numbers by their rounding."""
    network[0].bias.requires_grad_(False)  # normalized away: its gradient is rounding alone
    recipe, other = make_recipe(optimizer=name), copy.deepcopy(network)
    one = optim.build(network, recipe)
    two = optim.build(other, recipe, capturable=True)
    for step in range(5):
        torch.manual_seed(step)
        images = torch.randn(5, 1, 4, 4)
        for model, optimizer in ((network, one), (other, two)):
            optim.set_lr(optimizer, 0.1 / (1 + step))
            optimizer.zero_grad()
            model(images).square().sum().backward()
            optimizer.step()
    assert all(isinstance(group["lr"], torch.Tensor) for group in two.param_groups)
    torch.testing.assert_close(other.state_dict(), network.state_dict(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["adamw", "sgd", "muon"])
@pytest.mark.parametrize("from_tensor", [False, True])
def test_a_state_is_taken_up_across_devices_by_either_kind(network, name, from_tensor):
    """Its moments and counts are; how the rate is held stays the optimizer's own."""
    recipe = make_recipe(optimizer=name)
    one = optim.build(network, recipe, capturable=from_tensor)
    network(torch.ones(5, 1, 4, 4)).square().sum().backward()
    one.step()
    two = optim.build(network, recipe, capturable=not from_tensor)
    optim.load_state(two, copy.deepcopy(one.state_dict()))
    for group in two.param_groups:
        assert isinstance(group["lr"], torch.Tensor) != from_tensor
    for parameter in network.parameters():
        mine, theirs = two.state[parameter], one.state[parameter]
        assert mine.keys() == theirs.keys()
        assert all(torch.equal(mine[key], theirs[key]) for key in mine)
    two.step()


def test_averages_by_a_tensor_are_those_by_a_number(network):
    one = optim.AveragedWeights(network, decay=0.9)
    two = optim.AveragedWeights(network, decay=0.9, capturable=True)
    for _ in range(12):
        network(torch.randn(5, 1, 4, 4))
        network[3].weight.data.add_(1)
        one.update(network)
        two.update(network)
    torch.testing.assert_close(two.model.state_dict(), one.model.state_dict())
    assert float(two.share) == pytest.approx(one.share)
