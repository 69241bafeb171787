"""Library networks: gray input, ImageNet weights (made here, never downloaded), error lines."""

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from ferbench.errors import UserError
from ferbench.models import MODELS
from ferbench.models.library import Library, fold_rgb

LIBRARY = {name: entry for name, entry in MODELS.items() if isinstance(entry, Library)}
MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


def weights_path(name: str) -> Path:
    """Where the library looks for the weights of `name` before it downloads them."""
    if LIBRARY[name].source == "timm":
        import timm

        url = timm.get_pretrained_cfg(LIBRARY[name].weights).url
    else:
        from torchvision.models import get_model_weights

        url = get_model_weights(LIBRARY[name].weights.split(".")[0])["IMAGENET1K_V1"].url
    return Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]


def rgb_network(name: str) -> nn.Module:
    """The library's own network of 1000 classes, with statistics that are not 0 and 1."""
    torch.manual_seed(5)
    if LIBRARY[name].source == "timm":
        import timm

        network = timm.create_model(LIBRARY[name].weights)
    else:
        from torchvision.models import get_model

        network = get_model(LIBRARY[name].weights.split(".")[0])
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return network.eval()


def put_weights(name: str) -> nn.Module:
    """Write an untrained network where the library expects the trained one, and return it."""
    network = rgb_network(name)
    state = network.state_dict()
    if name == "densenet121":  # its published file has the names of 2017
        for key in [key for key in state if "denselayer" in key]:
            old = key
            for part in ("norm1", "norm2", "conv1", "conv2"):
                old = old.replace(f".{part}.", f".{part[:-1]}.{part[-1]}.")
            state[old] = state.pop(key)
    weights_path(name).parent.mkdir(parents=True)
    torch.save(state, weights_path(name))
    return network


def first_layer(network: nn.Module, name: str, images: torch.Tensor) -> torch.Tensor:
    """The first convolution and its normalization, if that is a batch normalization."""
    entry = LIBRARY[name]
    out = network.get_submodule(entry.first_conv)(images)
    return network.get_submodule(entry.first_norm)(out) if entry.first_norm else out


def normalized_rgb(faces: torch.Tensor, name: str) -> torch.Tensor:
    """What the library's recipe makes of gray images in [-1, 1]."""
    half = torch.full((3,), 0.5)
    mean, std = (MEAN, STD) if LIBRARY[name].source == "torchvision" else (half, half)
    rgb = ((faces + 1) / 2).expand(-1, 3, -1, -1)
    return (rgb - mean.view(3, 1, 1)) / std.view(3, 1, 1)


def test_a_folded_convolution_equals_the_normalized_rgb_one(faces):
    """conv((g + 1) / 2 in RGB, normalized) = conv(g, folded) + constant, inside the image."""
    kernel = torch.randn(8, 3, 5, 5, generator=torch.Generator().manual_seed(2))
    folded, constant = fold_rgb(kernel, MEAN.tolist(), STD.tolist())
    want = functional.conv2d(normalized_rgb(faces, "resnet18"), kernel)
    got = functional.conv2d(faces, folded) + constant.view(8, 1, 1)
    assert folded.shape == (8, 1, 5, 5)
    torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4)


def test_folding_with_one_half_is_the_sum_of_the_kernels():
    """(g + 1) / 2 normalized by 1/2, 1/2 is g itself: no constant is left."""
    kernel = torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(3))
    folded, constant = fold_rgb(kernel, [0.5] * 3, [0.5] * 3)
    torch.testing.assert_close(folded, kernel.sum(1, keepdim=True))
    assert torch.equal(constant, torch.zeros(4))


@pytest.mark.parametrize("name", LIBRARY)
def test_imagenet_weights_arrive_and_the_first_layer_sees_gray_as_rgb(name, make, faces):
    published = put_weights(name)
    classifier = make(name, pretrained="imagenet", stem="standard").eval()
    body, entry = classifier.network.body, LIBRARY[name]

    with torch.no_grad():
        got = first_layer(body, name, faces)
        want = first_layer(published, name, normalized_rgb(faces, name))
    inside = (..., slice(2, -2), slice(2, -2))  # zero padding reaches two places at most
    torch.testing.assert_close(got[inside], want[inside], rtol=1e-4, atol=1e-4)

    folded = {f"{entry.first_conv}.{part}" for part in ("weight", "bias")}
    folded.add(f"{entry.first_norm}.running_mean")
    for key, value in body.state_dict().items():
        assert key in folded or torch.equal(value, published.state_dict()[key]), key
    missing = published.state_dict().keys() - body.state_dict().keys()
    assert missing == {f"{entry.head}.weight", f"{entry.head}.bias"}


@pytest.mark.parametrize("name", ["resnet18", "convnext_tiny", "xception"])
def test_the_small_stem_takes_every_imagenet_weight_too(name, make):
    put_weights(name)
    standard = make(name, pretrained="imagenet", stem="standard").state_dict()
    small = make(name, pretrained="imagenet", stem="small").state_dict()
    assert standard.keys() == small.keys()
    assert all(torch.equal(standard[key], small[key]) for key in small)


def test_xception_on_gray_equals_the_published_network_on_rgb(make, faces):
    """Its images are normalized by 1/2, 1/2 and its first layer pads nothing: equal to the end."""
    published = put_weights("xception")
    classifier = make("xception", pretrained="imagenet", stem="standard").eval()
    with torch.no_grad():
        want = published.forward_head(
            published.forward_features(faces.expand(-1, 3, -1, -1)), pre_logits=True
        )
        torch.testing.assert_close(classifier.embed(faces), want, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", ["resnet18", "xception"])
def test_weights_that_cannot_be_had_are_one_line(name, make):
    with pytest.raises(UserError) as caught:
        make(name, pretrained="imagenet")
    message = str(caught.value)
    assert message.startswith("model.pretrained=imagenet: the weights of ")
    assert "tests have no network" in message
    assert message.endswith(f"expected network access or the file in {weights_path(name)}")
    assert "\n" not in message


@pytest.mark.parametrize(
    "content", [b"", b"not weights", b"PK\x03\x04 torn", b"\x80\x02}q\x00."], ids=repr
)
@pytest.mark.parametrize("name", ["resnet18", "xception"])
def test_a_damaged_file_is_one_line(name, content, make):
    weights_path(name).parent.mkdir(parents=True)
    weights_path(name).write_bytes(content)
    with pytest.raises(UserError) as caught:
        make(name, pretrained="imagenet")
    assert f"{weights_path(name)} does not hold the weights of" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_weights_of_another_network_are_one_line(make):
    put_weights("mobilenet_v3")
    weights_path("mobilenet_v3").rename(weights_path("resnet18"))
    with pytest.raises(UserError, match="does not hold the weights of resnet18"):
        make("resnet18", pretrained="imagenet")


class Trap:
    """Unpickled, it would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["resnet18", "xception"])
def test_a_weights_file_runs_nothing(name, make, tmp_path):
    weights_path(name).parent.mkdir(parents=True)
    torch.save({"conv1.weight": Trap(tmp_path / "ran")}, weights_path(name))
    with pytest.raises(UserError, match="does not hold the weights"):
        make(name, pretrained="imagenet")
    assert not (tmp_path / "ran").exists()


def test_initial_weights_need_no_file_and_leave_none(make, tmp_path):
    make("shufflenet_v2", pretrained="none")
    make("xception", pretrained="none")
    assert not (tmp_path / "torch").exists()


def test_the_librarys_own_dropout_gives_way_to_the_option(make):
    """One dropout layer acts, before the head."""
    classifier = make("mobilenet_v3", dropout=0.4)
    active = [m.p for m in classifier.modules() if isinstance(m, nn.Dropout) and m.p > 0]
    assert active == [0.4]
    assert classifier.network.drop.p == 0.4


def test_every_norm_averages_with_the_same_momentum(make):
    """MobileNetV3 comes with 0.01: short runs would be evaluated with initial statistics."""
    norms = [m for m in make("mobilenet_v3").modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert len(norms) > 20
    assert {norm.momentum for norm in norms} == {0.1}
