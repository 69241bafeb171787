"""A judge sees each image by itself, once, and says what the classifier says."""

import numpy as np
import pytest
import torch

from ferbench.classifiers import batches
from ferbench.classifiers.judge import Judge
from ferbench.classifiers.prediction import predict
from ferbench.errors import UserError
from ferbench.models import NetworkOptions, build
from ferbench.runs.precision import Precision

CPU = torch.device("cpu")
SMALL = {"cnn": {"width": 4}, "vgg": {"width": 4}}
IMAGES = np.random.default_rng(0).integers(0, 256, (11, 48, 48), dtype=np.uint8)


def make_judge(name="cnn", precision="fp32"):
    torch.manual_seed(0)
    options = NetworkOptions(
        name,
        stem="small",
        input_px=48,
        pretrained="none",
        tune="all",
        dropout=0.3,
        width=SMALL.get(name, {}).get("width"),
    )
    model = build(options, classes=7)
    model.train()
    with torch.no_grad():
        for _ in range(2):  # the running statistics leave their initial values
            model(batches.normalize(torch.from_numpy(IMAGES)[:, None]))
    return Judge(model, Precision(precision, "cpu"), CPU, name=name, hash="h", data_hash="d")


@pytest.fixture(scope="module")
def judge():
    return make_judge()


def test_the_logits_are_those_of_predict(judge):
    """One pass gives both: the head on the features is what the classifier says, no flip."""
    seen = judge.describe(IMAGES)
    images = torch.from_numpy(IMAGES)[:, None]
    want = predict(judge.model, images, batch=4, precision=judge.precision, tta="none")
    np.testing.assert_allclose(seen.logits, want, atol=1e-5)
    assert seen.features.shape == (11, 32)
    assert seen.features.dtype == seen.logits.dtype == np.float32


@pytest.mark.parametrize("name", ["cnn", "vgg", "mobilenet_v3"])
def test_the_head_on_the_features_is_the_network(name):
    """For each of the three classes of networks behind FaceClassifier."""
    judge = make_judge(name)
    seen = judge.describe(IMAGES[:2])
    with torch.no_grad():
        want = judge.model(batches.normalize(torch.from_numpy(IMAGES[:2])[:, None]))
    np.testing.assert_allclose(seen.logits, want.numpy(), rtol=1e-4, atol=1e-4)


def test_numbers_that_are_not_finite_are_refused():
    """As a teacher they would make every label nan."""
    judge = make_judge()
    with torch.no_grad():
        next(judge.model.network.head.parameters()).fill_(float("nan"))
    with pytest.raises(UserError, match=r"^judge cnn: its outputs are not finite"):
        judge.describe(IMAGES)


def test_the_network_runs_once_an_image(judge, monkeypatch):
    seen = []
    embed = type(judge.model).embed
    monkeypatch.setattr(
        type(judge.model), "embed", lambda self, x: (seen.append(len(x)), embed(self, x))[1]
    )
    judge.describe(IMAGES, batch=4)
    assert seen == [4, 4, 3]


@pytest.mark.parametrize("batch", [1, 3, 11, 500])
def test_an_image_is_described_by_itself(judge, batch):
    whole, parts = judge.describe(IMAGES), judge.describe(IMAGES, batch=batch)
    np.testing.assert_allclose(parts.features, whole.features, atol=1e-5)
    np.testing.assert_allclose(parts.logits, whole.logits, atol=1e-5)
    backwards = judge.describe(IMAGES[::-1], batch=batch)
    np.testing.assert_allclose(backwards.features[::-1], whole.features, atol=1e-5)


def test_half_precision_gives_float32_near_the_exact_ones():
    exact, half = make_judge().describe(IMAGES), make_judge(precision="bf16").describe(IMAGES)
    assert half.features.dtype == half.logits.dtype == np.float32
    scale = np.abs(exact.features).max()
    np.testing.assert_allclose(half.features, exact.features, atol=0.03 * scale)
    assert not np.array_equal(half.features, exact.features)


def test_arrays_tensors_and_files_are_alike(judge, tmp_path):
    np.save(tmp_path / "images.npy", IMAGES)
    want = judge.describe(IMAGES)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    for images in (torch.from_numpy(IMAGES), mapped):
        np.testing.assert_array_equal(judge.describe(images).features, want.features)


@pytest.mark.parametrize(
    "images", [IMAGES[0], IMAGES[:0], IMAGES[:, None], IMAGES.astype(np.float32)]
)
def test_what_is_no_list_of_gray_images_is_a_bug(judge, images):
    with pytest.raises(AssertionError):
        judge.describe(images)


def test_a_judge_does_not_learn_and_does_not_drop(judge):
    """Evaluation mode and no gradients: twice the same, and the statistics stay."""
    before = {name: value.clone() for name, value in judge.model.state_dict().items()}
    first, second = judge.describe(IMAGES), judge.describe(IMAGES)
    np.testing.assert_array_equal(first.features, second.features)
    assert not judge.embed(torch.zeros(1, 1, 48, 48)).requires_grad
    assert all(torch.equal(before[name], v) for name, v in judge.model.state_dict().items())


def test_embed_is_not_rounded_to_gray_levels():
    """In float32 whatever the precision; an image that changes by 1e-4 has other features."""
    judge = make_judge(precision="bf16")
    images = torch.linspace(-1, 1, 48 * 48).view(1, 1, 48, 48)
    with torch.no_grad():
        want = make_judge().model.embed(images)
    torch.testing.assert_close(judge.embed(images), want, rtol=1e-4, atol=1e-5)
    moved = judge.embed(images + 1e-4) - judge.embed(images)
    assert 0 < float(moved.abs().max()) < 0.1


def test_rows_can_be_taken(judge):
    seen = judge.describe(IMAGES)
    taken = seen.take(np.array([3, 1]))
    assert len(taken) == 2
    np.testing.assert_array_equal(taken.features, seen.features[[3, 1]])
    np.testing.assert_array_equal(taken.logits, seen.logits[[3, 1]])


def test_other_sizes_are_resized_by_the_classifier(judge):
    """A plain gray image is the same at any size."""
    gray = [np.full((1, px, px), 77, np.uint8) for px in (32, 48, 96)]
    small, own, large = (judge.describe(images).features for images in gray)
    np.testing.assert_allclose(small, own, atol=1e-5)
    np.testing.assert_allclose(large, own, atol=1e-5)
