"""FaceClassifier: sizes, and what the compiler sees."""

import pytest
import torch

from ferbench.models import NetworkOptions, build


def first_input(classifier, images):
    """What the first convolution is given."""
    seen = []
    conv = next(m for m in classifier.modules() if isinstance(m, torch.nn.Conv2d))
    hook = conv.register_forward_hook(lambda module, args, out: seen.append(args[0]))
    with torch.no_grad():
        assert classifier(images).shape == (2, 7)
    hook.remove()
    return seen[0]


@pytest.mark.parametrize("px", [32, 64, 224])
@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("cnn", "small"),
        ("vgg", "small"),
        ("mobilenet_v3", "standard"),
        ("resnet18", "standard"),
        ("xception", "standard"),
    ],
)
def test_faces_are_resized_to_the_size_asked_for(name, stem, px, make, faces):
    classifier = make(name, stem=stem, input_px=px).eval()
    got = first_input(classifier, faces.sign())  # bicubic overshoots at such edges
    assert got.shape == (2, 1, px, px)
    assert got.abs().max() == 1


def test_faces_of_the_right_size_are_left_as_they_are(make, faces):
    assert first_input(make("cnn").eval(), faces) is faces


def test_a_constant_image_stays_constant_and_a_checkerboard_becomes_gray(make):
    """Without antialiasing, a third of the size would pick single black or white pixels."""
    classifier = make("cnn", input_px=48).eval()
    board = (torch.arange(144)[:, None] + torch.arange(144)) % 2 * 2.0 - 1
    got = first_input(classifier, torch.stack([torch.full((1, 144, 144), 0.25), board[None]]))
    torch.testing.assert_close(got[0], torch.full((1, 48, 48), 0.25))
    assert got[1].abs().max() < 0.1


@pytest.mark.parametrize("name", ["cnn", "mobilenet_v3"])
def test_one_graph_holds_the_whole_forward_pass(name, make, faces):
    """fullgraph refuses Python side effects and whatever else breaks the graph."""
    classifier = make(name, input_px=64).eval()
    compiled = torch.compile(classifier, backend="eager", fullgraph=True)
    with torch.no_grad():
        torch.testing.assert_close(compiled(faces), classifier(faces))


def test_a_network_that_is_wholly_frozen_can_change_its_mode() -> None:
    """It stays in evaluation mode, and asking for training ends."""
    options = NetworkOptions(
        name="cnn",
        stem="small",
        input_px=48,
        pretrained="none",
        tune="all",
        dropout=0.0,
        width=4,
    )
    model = build(options, classes=7).requires_grad_(False)
    model.train()
    assert not any(module.training for module in model.network.modules())
