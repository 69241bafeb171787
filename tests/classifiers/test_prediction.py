"""What a classifier makes of images: batches, views, formats."""

from functools import partial

import numpy as np
import pytest
import torch

from ferbench.classifiers import batches, prediction
from ferbench.models import NetworkOptions, build
from ferbench.runs.precision import Precision

FP32 = Precision("fp32", "cpu")


def made_images(n):
    """[n, 1, 48, 48] uint8 noise."""
    rng = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (n, 1, 48, 48), dtype=torch.uint8, generator=rng)


def small_cnn():
    options = NetworkOptions(
        name="cnn",
        stem="small",
        input_px=48,
        pretrained="none",
        tune="all",
        dropout=0.1,
        width=4,
    )
    return build(options, classes=7)


@pytest.fixture
def model():
    """A network that has seen some faces, so that its running statistics are its own."""
    torch.manual_seed(0)
    network = small_cnn()
    with torch.no_grad():
        network(batches.normalize(made_images(64)))
    return network


@pytest.mark.parametrize("tta", ["none", "flip", "ten_crop"])
def test_predictions_do_not_depend_on_the_batch(model, tta):
    images = made_images(23)
    predict = partial(prediction.predict, model, images, precision=FP32, tta=tta)
    whole = predict(batch=23)
    assert whole.dtype == np.float32
    assert whole.shape == (23, 7)
    for batch in (1, 4, 100):
        np.testing.assert_allclose(predict(batch=batch), whole, rtol=1e-4, atol=1e-5)


def test_predictions_leave_the_model_as_it_was(model):
    before = {key: value.clone() for key, value in model.state_dict().items()}
    for training in (True, False):
        model.train(training)
        prediction.predict(model, made_images(9), batch=4, precision=FP32, tta="flip")
        assert model.training is training
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_a_model_can_be_trained_after_it_predicted():
    """The weights were not laid out in inference mode, where gradients are refused."""
    network = small_cnn()
    prediction.predict(network, made_images(4), batch=4, precision=FP32, tta="none")
    network(batches.normalize(made_images(4))).sum().backward()
    torch.optim.SGD(network.parameters(), lr=0.1).step()


def test_flip_averages_the_probabilities_of_a_face_and_its_mirror_image(model):
    """log((p(x) + p(mirror of x)) / 2), so the mirror images get the same predictions."""
    images = made_images(9)
    predict = partial(prediction.predict, model, batch=9, precision=FP32)
    plain, mirrored = (
        torch.from_numpy(predict(x, tta="none")).softmax(1) for x in (images, images.flip(-1))
    )
    found = predict(images, tta="flip")
    np.testing.assert_allclose(found, ((plain + mirrored) / 2).log(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(predict(images.flip(-1), tta="flip"), found, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(np.exp(found).sum(1), 1, rtol=1e-5)


def test_equal_views_average_to_the_log_probabilities(model):
    """All ten crops of an even gray are that gray."""
    gray = torch.full((2, 1, 48, 48), 90, dtype=torch.uint8)
    predict = partial(prediction.predict, model, gray, batch=2, precision=FP32)
    want = torch.from_numpy(predict(tta="none")).log_softmax(1)
    np.testing.assert_allclose(predict(tta="ten_crop"), want, rtol=1e-4, atol=1e-5)


def test_bfloat16_predicts_nearly_what_float32_does(model):
    images = made_images(30)
    predict = partial(prediction.predict, model, images, batch=30, tta="none")
    exact, rounded = (predict(precision=p) for p in (FP32, Precision("bf16", "cpu")))
    assert 0 < np.abs(exact - rounded).max() < 0.05 * np.abs(exact).max()
