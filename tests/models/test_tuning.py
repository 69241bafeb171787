"""What trains under model.tune, and what stays as it was."""

import pytest
import torch
from torch.nn import functional

from ferbench.models import MODELS

TRAINED = {  # parameters that train under tune=last and tune=head, of 7 classes
    "cnn": (1_477_895, 1_799),
    "vgg": (9_317_383, 7_175),
    "resnet18": (8_397_319, 3_591),
    "resnet50": (14_979_079, 14_343),
    "mobilenet_v3": (1_334_511, 7_175),
    "mobilenet_v3_large": (3_418_511, 8_967),
    "efficientnet_b0": (3_164_707, 8_967),
    "shufflenet_v2": (985_711, 7_175),
    "densenet121": (2_167_303, 7_175),
    "convnext_tiny": (15_477_511, 5_383),
    "xception": (6_802_727, 14_343),
}


def train_one_step(classifier, faces):
    """Forward in training mode, backward, and a step with weight decay."""
    trained = [parameter for parameter in classifier.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=0.1, weight_decay=0.1)
    functional.cross_entropy(classifier.train()(faces), torch.tensor([0, 1])).backward()
    optimizer.step()


@pytest.mark.parametrize("name", MODELS)
def test_all_gives_every_parameter_a_gradient(name, make, faces):
    classifier = make(name, tune="all")
    train_one_step(classifier, faces)
    assert all(parameter.grad is not None for parameter in classifier.parameters())
    assert next(classifier.parameters()).grad.abs().sum() > 0


@pytest.mark.parametrize("tune", ["last", "head"])
@pytest.mark.parametrize("name", MODELS)
def test_what_is_frozen_stays_to_the_bit(name, tune, make, faces):
    """No gradient, no weight decay, no new running statistics: only the named layers change."""
    classifier = make(name, tune=tune)
    parameters = dict(classifier.named_parameters())
    trained = {key for key, parameter in parameters.items() if parameter.requires_grad}
    count = sum(parameters[key].numel() for key in trained)
    assert count == TRAINED[name][0 if tune == "last" else 1]

    before = {key: value.clone() for key, value in classifier.state_dict().items()}
    train_one_step(classifier, faces)
    after = classifier.state_dict()
    changed = {key for key in before if not torch.equal(before[key], after[key])}

    layers = {key.rpartition(".")[0] for key in trained}  # buffers follow their layer's parameters
    assert "network.head.weight" in changed
    assert {key.rpartition(".")[0] for key in changed} <= layers
    assert all(parameters[key].grad is None for key in parameters.keys() - trained)


@pytest.mark.parametrize("name", ["vgg", "efficientnet_b0", "convnext_tiny"])
def test_frozen_features_are_the_same_in_training_and_evaluation(name, make, faces):
    """Nothing is dropped at random in a frozen part: no dropout, no stochastic depth."""
    classifier = make(name, tune="head")
    with torch.no_grad():
        in_training = classifier.train().embed(faces)
        assert torch.equal(in_training, classifier.eval().embed(faces))


def test_dropout_before_a_trained_head_stays_on(make, faces):
    classifier = make("cnn", tune="head", dropout=0.5).train()
    with torch.no_grad():
        assert not torch.equal(classifier(faces), classifier(faces))
