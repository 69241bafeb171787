"""The networks to choose from."""

from __future__ import annotations

from dataclasses import dataclass

from ferbench.errors import UserError, at_least, between, one_of
from ferbench.models.cnn import Cnn
from ferbench.models.library import Library, assemble
from ferbench.models.vgg import Vgg
from ferbench.models.wrapper import FaceClassifier, Network, freeze

MIN_PX = 32  # below this the deepest networks have no map left to convolve


@dataclass(frozen=True)
class Own:
    """A network of this project."""

    make: type[Cnn] | type[Vgg]
    last_stage: str  # tune=last trains from here on


MODELS: dict[str, Own | Library] = {
    "cnn": Own(Cnn, last_stage="features.6"),
    "vgg": Own(Vgg, last_stage="stages.3"),
    "resnet18": Library(
        source="torchvision",
        weights="resnet18.IMAGENET1K_V1",
        first_conv="conv1",
        first_norm="bn1",
        pool="maxpool",
        head="fc",
        last_stage="layer4",
    ),
    "resnet50": Library(
        source="torchvision",
        weights="resnet50.IMAGENET1K_V1",
        first_conv="conv1",
        first_norm="bn1",
        pool="maxpool",
        head="fc",
        last_stage="layer4",
    ),
    "mobilenet_v3": Library(
        source="torchvision",
        weights="mobilenet_v3_small.IMAGENET1K_V1",
        first_conv="features.0.0",
        first_norm="features.0.1",
        pool=None,
        head="classifier.3",
        last_stage="features.9",
    ),
    "mobilenet_v3_large": Library(
        source="torchvision",
        weights="mobilenet_v3_large.IMAGENET1K_V1",
        first_conv="features.0.0",
        first_norm="features.0.1",
        pool=None,
        head="classifier.3",
        last_stage="features.13",
    ),
    "efficientnet_b0": Library(
        source="torchvision",
        weights="efficientnet_b0.IMAGENET1K_V1",
        first_conv="features.0.0",
        first_norm="features.0.1",
        pool=None,
        head="classifier.1",
        last_stage="features.6",
    ),
    "shufflenet_v2": Library(
        source="torchvision",
        weights="shufflenet_v2_x1_0.IMAGENET1K_V1",
        first_conv="conv1.0",
        first_norm="conv1.1",
        pool="maxpool",
        head="fc",
        last_stage="stage4",
    ),
    "densenet121": Library(
        source="torchvision",
        weights="densenet121.IMAGENET1K_V1",
        first_conv="features.conv0",
        first_norm="features.norm0",
        pool="features.pool0",
        head="classifier",
        last_stage="features.denseblock4",
    ),
    "convnext_tiny": Library(
        source="torchvision",
        weights="convnext_tiny.IMAGENET1K_V1",
        first_conv="features.0.0",
        first_norm=None,
        pool=None,
        head="classifier.2",
        last_stage="features.6",
        small_stride=2,
        small_padding=1,
    ),
    "xception": Library(
        source="timm",
        weights="legacy_xception.tf_in1k",
        first_conv="conv1",
        first_norm="bn1",
        pool=None,
        head="fc",
        last_stage="block12",
    ),
}


def build(
    name: str,
    *,
    classes: int,
    stem: str,
    input_px: int,
    pretrained: str,
    tune: str,
    dropout: float,
    width: int | None,
) -> FaceClassifier:
    """The network `name` for gray faces, in training mode.

    stem: small, for faces of 48 px; standard, as published for 224 px. See docs/models.md.
    input_px: the faces are resized to this inside the classifier.
    pretrained: none or imagenet; tune: all, last or head (see tuning.freeze).
    dropout: probability before the final linear layer (vgg: and before the one that precedes it).
    width: channels of the first stage of cnn and vgg; None for the others.
    Initial weights come from torch's global generator.
    Raises UserError for a value that does not exist or does not fit the network.
    """
    _check(name, stem, input_px, pretrained, tune, dropout, width)
    chosen = MODELS[name]
    network: Network
    if isinstance(chosen, Own):
        assert width is not None
        network = chosen.make(classes, dropout=dropout, width=width)
        last_stage = chosen.last_stage
    else:
        small_stem, imagenet = stem == "small", pretrained == "imagenet"
        network = assemble(
            chosen, classes, small_stem=small_stem, imagenet=imagenet, dropout=dropout
        )
        last_stage = f"body.{chosen.last_stage}"
    freeze(network, tune, last_stage=last_stage)
    return FaceClassifier(network, input_px=input_px).train()


def _check(
    name: str,
    stem: str,
    input_px: int,
    pretrained: str,
    tune: str,
    dropout: float,
    width: int | None,
) -> None:
    """Raise UserError for the first value that does not exist or does not fit the network."""
    one_of("model.name", name, MODELS)
    one_of("model.stem", stem, ("small", "standard"))
    one_of("model.pretrained", pretrained, ("none", "imagenet"))
    one_of("model.tune", tune, ("all", "last", "head"))
    at_least("model.input_px", input_px, MIN_PX)
    between("model.dropout", dropout, 0, 0.99)
    if not isinstance(MODELS[name], Own):
        if width is not None:
            raise UserError(f"model.width={width}: {name} has its published width; expected null")
        return
    if width is None or width < 1:
        raise UserError(f"model.width={width}: not a width of {name}; expected 1 or more")
    if stem != "small":
        raise UserError(f"model.stem={stem}: {name} has no such stem; expected small")
    if pretrained != "none":
        raise UserError(f"model.pretrained={pretrained}: {name} has no such weights; expected none")
