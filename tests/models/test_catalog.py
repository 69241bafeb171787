"""Every option of model=, as its file in conf/model/ has it."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from ferbench.errors import UserError
from ferbench.models import MODELS

ROOT = Path(__file__).resolve().parents[2]

# Of 7 classes, with the small stem at 48 px: parameters, millions of multiply-adds, side of the
# last convolution's map, features that the head sees.
FACTS = {
    "cnn": (2_235_623, 266.1, 6, 256),
    "vgg": (10_462_535, 474.2, 6, 1024),
    "resnet18": (11_173_831, 1252.9, 6, 512),
    "resnet50": (23_516_103, 2923.3, 6, 2048),
    "mobilenet_v3": (1_524_743, 10.4, 3, 1024),
    "mobilenet_v3_large": (4_210_711, 41.1, 3, 1280),
    "efficientnet_b0": (4_015_939, 69.8, 3, 1280),
    "shufflenet_v2": (1_260_347, 100.2, 6, 1024),
    "densenet121": (6_954_759, 2002.0, 6, 1024),
    "convnext_tiny": (27_822_439, 816.5, 3, 768),
    "xception": (20_820_719, 798.2, 3, 2048),
}


def last_map_px(classifier, images):
    """Side of the last convolution's map; its module stands last in every network."""
    sides = []
    conv = [module for module in classifier.modules() if isinstance(module, nn.Conv2d)][-1]
    hook = conv.register_forward_hook(lambda module, args, out: sides.append(out.shape[-1]))
    with torch.no_grad():
        classifier.embed(images)
    hook.remove()
    return sides[-1]


@pytest.fixture(scope="module", params=list(MODELS))
def named(request, make, settled):
    """A name and its classifier in evaluation mode, one for all tests."""
    return request.param, settled(make(request.param))


def test_every_network_has_a_file_that_names_it():
    files = {path.stem: path for path in (ROOT / "conf/model").glob("*.yaml")}
    assert files.keys() == MODELS.keys() == FACTS.keys()
    for name, path in files.items():
        assert path.read_text().startswith("# ")
        assert f"\nname: {name}\n" in path.read_text()


def test_logits_and_embedding_have_the_pinned_shapes(named, faces):
    name, classifier = named
    with torch.no_grad():
        logits, features = classifier(faces), classifier.embed(faces)
    assert logits.shape == (2, 7)
    assert features.shape == (2, FACTS[name][3])
    assert torch.isfinite(logits).all()


def test_the_head_on_the_embedding_gives_the_logits(named, faces):
    _, classifier = named
    with torch.no_grad():
        want = classifier.network.head(classifier.embed(faces))
        torch.testing.assert_close(classifier(faces), want)


def test_logits_depend_on_the_image_and_not_on_the_batch(named, faces):
    _, classifier = named
    with torch.no_grad():
        both, one = classifier(faces), classifier(faces[:1])
    torch.testing.assert_close(both[:1], one, rtol=1e-3, atol=1e-5)
    assert not torch.equal(both[0], both[1])


def test_parameters_multiply_adds_and_last_map_at_48_px(named, faces):
    name, classifier = named
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        classifier(faces[:1])
    parameters, mega_macs, side, _ = FACTS[name]
    assert sum(parameter.numel() for parameter in classifier.parameters()) == parameters
    assert counter.get_total_flops() / 2e6 == pytest.approx(mega_macs, abs=0.05)
    assert last_map_px(classifier, faces) == side


def test_the_documented_table_is_true():
    rows = (ROOT / "docs/models.md").read_text()
    for name, (parameters, mega_macs, side, features) in FACTS.items():
        row = f"| `{name}` | {parameters:,} | {mega_macs:,.0f} | {side} x {side} | {features:,} |"
        assert row in rows


def test_bf16_autocast_gives_finite_logits_and_the_features_of_float32(named, faces):
    _, classifier = named
    with torch.no_grad():
        want = classifier.embed(faces)
        with torch.autocast("cpu", torch.bfloat16):
            logits, got = classifier(faces), classifier.embed(faces)
    assert logits.dtype == torch.bfloat16
    assert torch.isfinite(logits).all()
    assert functional.cosine_similarity(got.float(), want).min() > 0.95


def test_channels_last_gives_the_same_logits(named, faces):
    _, classifier = named
    with torch.no_grad():
        want = classifier(faces)
        got = classifier.to(memory_format=torch.channels_last)(faces)
    classifier.to(memory_format=torch.contiguous_format)
    torch.testing.assert_close(got, want, rtol=1e-3, atol=1e-5)


def test_weights_go_through_safetensors(named, make, faces, tmp_path):
    """save_file refuses tensors that share memory."""
    name, classifier = named
    save_file(classifier.state_dict(), tmp_path / "model.safetensors")
    other = make(name).eval()
    for parameter in other.parameters():
        parameter.data.zero_()
    other.load_state_dict(load_file(tmp_path / "model.safetensors"))
    with torch.no_grad():
        assert torch.equal(other(faces), classifier(faces))


@pytest.mark.parametrize("name", [name for name in MODELS if name not in ("cnn", "vgg")])
def test_the_standard_stem_leaves_one_or_two_places_of_48_px(name, make, faces):
    """Published strides halve 48 px five times: 1.5, rounded down or up by the network."""
    classifier = make(name, stem="standard").eval()
    assert last_map_px(classifier, faces) == (1 if name in ("densenet121", "convnext_tiny") else 2)
    assert sum(parameter.numel() for parameter in classifier.parameters()) == FACTS[name][0]


@pytest.mark.parametrize("classes", [2, 8])
@pytest.mark.parametrize("name", ["cnn", "vgg", "shufflenet_v2"])
def test_the_number_of_classes_is_kept(name, classes, make, faces):
    assert make(name, classes=classes).eval()(faces).shape == (2, classes)


def test_one_seed_gives_one_network(make):
    first, second = make("mobilenet_v3"), make("mobilenet_v3")
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("cnn", {"name": "resnet19"}, "model.name=resnet19: unknown; did you mean resnet18"),
        ("cnn", {"stem": "tiny"}, "model.stem=tiny: unknown"),
        ("cnn", {"tune": "tail"}, "model.tune=tail: unknown"),
        ("cnn", {"pretrained": "vggface"}, "model.pretrained=vggface: unknown"),
        ("cnn", {"input_px": 16}, "model.input_px=16: expected at least 32"),
        ("cnn", {"dropout": 1.0}, "model.dropout=1.0: expected a value from 0 to 0.99"),
        ("cnn", {"width": None}, "model.width=None: not a width of cnn"),
        ("vgg", {"width": 0}, "model.width=0: not a width of vgg"),
        ("vgg", {"stem": "standard"}, "model.stem=standard: vgg has no such stem"),
        ("vgg", {"pretrained": "imagenet"}, "model.pretrained=imagenet: vgg has no such weights"),
        ("resnet18", {"width": 64}, "model.width=64: resnet18 has its published width"),
    ],
)
def test_a_wrong_value_is_named(name, change, message, make):
    with pytest.raises(UserError) as caught:
        make(name, **change)
    assert str(caught.value).startswith(message)
