"""The networks to choose from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ferbench.errors import UserError, at_least, between, one_of
from ferbench.models.cnn import Cnn
from ferbench.models.library import Library, assemble
from ferbench.models.network import Network
from ferbench.models.vgg import Vgg
from ferbench.models.wrapper import FaceClassifier, freeze

MIN_PX = 32  # below this the deepest networks have no map left to convolve


@dataclass(frozen=True)
class Own:
    """A network of this project."""

    make: Callable[..., Network]  # called as make(classes, dropout=0.3, width=32)
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


@dataclass(frozen=True)
class NetworkOptions:
    """Which network, and how it is made; docs/models.md explains the options.

    stem: small, for faces of 48 px; standard, as published for 224 px.
    input_px: the faces are resized to this inside the classifier.
    pretrained: none or imagenet. tune: all, last or head (see `wrapper.freeze`).
    dropout: probability before the final linear layer (vgg: and before the one that precedes it).
    width: channels of the first stage of cnn and vgg; None for the others.
    Raises UserError for a value that does not exist or does not fit the network.
    """

    name: str
    stem: str
    input_px: int
    pretrained: str
    tune: str
    dropout: float
    width: int | None

    def __post_init__(self) -> None:
        one_of("model.name", self.name, MODELS)
        one_of("model.stem", self.stem, ("small", "standard"))
        one_of("model.pretrained", self.pretrained, ("none", "imagenet"))
        one_of("model.tune", self.tune, ("all", "last", "head"))
        at_least("model.input_px", self.input_px, MIN_PX)
        between("model.dropout", self.dropout, 0, 0.99)
        self._check_own() if isinstance(MODELS[self.name], Own) else self._check_library()

    def _check_own(self) -> None:
        """Refuse what this project's networks do not have."""
        name, width = self.name, self.width
        if width is None or width < 1:
            raise UserError(f"model.width={width}: not a width of {name}; expected 1 or more")
        if self.stem != "small":
            raise UserError(f"model.stem={self.stem}: {name} has no such stem; expected small")
        if self.pretrained != "none":
            raise UserError(
                f"model.pretrained={self.pretrained}: {name} has no such weights; expected none"
            )

    def _check_library(self) -> None:
        """Refuse what the libraries' networks do not have."""
        if self.width is not None:
            raise UserError(
                f"model.width={self.width}: {self.name} has its published width; expected null"
            )


def build(options: NetworkOptions, *, classes: int) -> FaceClassifier:
    """The network for gray faces, in training mode.

    Initial weights come from torch's global generator, or are ImageNet's. Raises UserError if
    those cannot be had or read.
    """
    chosen = MODELS[options.name]
    network: Network
    if isinstance(chosen, Own):
        assert options.width is not None
        network = chosen.make(classes, dropout=options.dropout, width=options.width)
        last_stage = chosen.last_stage
    else:
        network = assemble(
            chosen,
            classes,
            small_stem=options.stem == "small",
            imagenet=options.pretrained == "imagenet",
            dropout=options.dropout,
        )
        last_stage = f"body.{chosen.last_stage}"
    freeze(network, options.tune, last_stage=last_stage)
    return FaceClassifier(network, input_px=options.input_px).train()
