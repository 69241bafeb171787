"""Networks of torchvision and timm, made to fit small gray faces.

What changes, whatever the weights: the first convolution takes one channel, the stem can be made
small, a new linear layer of `classes` outputs stands at the end, and all norms average with one
momentum. All other layers, their names and their order are the library's, so every published weight
but the last layer's has a place. The libraries are imported where they are used, because that takes
long.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from importlib import import_module
from pathlib import Path
from pickle import UnpicklingError
from urllib.parse import urlparse

import torch
from torch import Tensor, nn
from torch.hub import load_state_dict_from_url

from ferbench.errors import UserError
from ferbench.models.network import Network

# Torch's usual value. The MobileNets come with 0.01: after the few hundred steps of a short run,
# evaluation would still see a tenth of the initial statistics, and be at chance.
NORM_MOMENTUM = 0.1


@dataclass(frozen=True)
class Library:
    """Which library network it is, and where (as module paths) the parts are that change."""

    source: str  # torchvision | timm
    weights: str  # the library's name of the ImageNet weights: model.tag
    first_conv: str
    first_norm: str | None  # None: the first convolution has a bias
    pool: str | None  # the max-pooling of the stem
    head: str  # the final linear layer
    last_stage: str  # tune=last trains from here on
    small_stride: int = 1  # of the first convolution in the small stem
    small_padding: int | None = None  # None: as published


class LibraryNetwork(Network):
    """A library network without its final layer, dropout and a new final layer."""

    def __init__(self, body: nn.Module, features: int, classes: int, *, dropout: float) -> None:
        super().__init__()
        self.body = body
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(features, classes)

    def embed(self, x: Tensor) -> Tensor:
        """[N, F] features: what the head sees."""
        return self.body(x)  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> Tensor:
        """[N, 1, H, W] images in [-1, 1] to [N, classes] logits."""
        return self.head(self.drop(self.embed(x)))  # type: ignore[no-any-return]


def assemble(
    library: Library, classes: int, *, small_stem: bool, imagenet: bool, dropout: float
) -> LibraryNetwork:
    """One library network for [N, 1, H, W] images in [-1, 1].

    imagenet: with the library's ImageNet weights, else with its initial ones, drawn from torch's
    global generator. Raises UserError if the weights cannot be had or read.
    dropout: before the final layer; it takes the place of the library's own dropout layers.
    """
    load = {"torchvision": _from_torchvision, "timm": _from_timm}[library.source]
    body, mean, std = load(library.weights, imagenet)
    _take_gray(body, library, mean, std)
    if small_stem:
        _shrink_stem(body, library)
    for module in body.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = NORM_MOMENTUM
    final = body.get_submodule(library.head)
    assert isinstance(final, nn.Linear)
    body.set_submodule(library.head, nn.Identity())
    return LibraryNetwork(body, final.in_features, classes, dropout=dropout)


def fold_rgb(kernel: Tensor, mean: Sequence[float], std: Sequence[float]) -> tuple[Tensor, Tensor]:
    """The gray twin of a convolution that was trained on normalized RGB images.

    A gray value g in [-1, 1] becomes a_c g + b_c in channel c after (g + 1) / 2, the copy into
    RGB and the normalization: a_c = 1 / (2 std_c), b_c = (1/2 - mean_c) / std_c. By linearity

        conv(rgb, kernel) = conv(g, sum_c a_c kernel_c) + sum_c b_c sum_ij kernel_cij

    wherever the kernel lies inside the image. (The library pads with zeros after normalizing, so
    the constant is smaller where the kernel reaches over the border: there the twin is near, not
    equal.)

    kernel: [O, 3, H, W] float32; mean, std: of the three channels of images in [0, 1].
    Returns the gray kernel [O, 1, H, W] and the constant [O].
    """
    a = torch.tensor([1 / (2 * s) for s in std]).view(1, 3, 1, 1)
    b = torch.tensor([(0.5 - m) / s for m, s in zip(mean, std, strict=True)])
    return (a * kernel).sum(1, keepdim=True), kernel.sum((2, 3)) @ b


@torch.no_grad()
def _take_gray(
    body: nn.Module, library: Library, mean: Sequence[float], std: Sequence[float]
) -> None:
    """Fold the first convolution to one channel, its constant into what follows it.

    The constant goes into the bias of the convolution, or, where it has none, is taken off the
    running mean of the batch normalization: exact in evaluation mode, and no matter in training
    mode, where the mean of the batch is subtracted. So the parameters stay the same ones.
    """
    conv = body.get_submodule(library.first_conv)
    assert isinstance(conv, nn.Conv2d)
    kernel, constant = fold_rgb(conv.weight, mean, std)
    conv.in_channels = 1
    conv.weight = nn.Parameter(kernel)
    if library.first_norm is None:
        assert conv.bias is not None
        conv.bias += constant
    else:
        norm = body.get_submodule(library.first_norm)
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.running_mean is not None
        norm.running_mean -= constant


def _shrink_stem(body: nn.Module, library: Library) -> None:
    """Let the first convolution move by a smaller step and leave out the max-pooling.

    No kernel changes its shape: any weights of the standard stem fit the small one.
    """
    conv = body.get_submodule(library.first_conv)
    assert isinstance(conv, nn.Conv2d)
    conv.stride = (library.small_stride, library.small_stride)
    if library.small_padding is not None:
        conv.padding = (library.small_padding, library.small_padding)
    if library.pool is not None:
        body.set_submodule(library.pool, nn.Identity())


GRAY = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))  # mean and std that map [0, 1] to [-1, 1]


def _from_torchvision(
    weights: str, imagenet: bool
) -> tuple[nn.Module, Sequence[float], Sequence[float]]:
    """The RGB network of 1000 classes, the mean and the std of its images."""
    models = import_module("torchvision.models")
    name, tag = weights.split(".")
    body: nn.Module = models.get_model(name)
    if not imagenet:
        return body, *GRAY
    chosen = models.get_model_weights(name)[tag]
    with _weights_of(name, chosen.url):
        state = chosen.get_state_dict(check_hash=True, map_location="cpu", weights_only=True)
        body.load_state_dict({_new_name(key): value for key, value in state.items()})
    preset = chosen.transforms()
    return body, preset.mean, preset.std


def _new_name(key: str) -> str:
    """The key as it is today: DenseNet's file still says norm.1 and conv.2 inside its layers."""
    return re.sub(r"(denselayer\d+\.(?:norm|conv))\.([12])\.", r"\1\2.", key)


def _from_timm(weights: str, imagenet: bool) -> tuple[nn.Module, Sequence[float], Sequence[float]]:
    """The RGB network of 1000 classes, the mean and the std of its images."""
    timm = import_module("timm")
    name = weights.split(".")[0]
    body: nn.Module = timm.create_model(weights)
    if not imagenet:
        return body, *GRAY
    config = timm.get_pretrained_cfg(weights)
    with _weights_of(name, config.url):  # timm's own loader would try again without weights_only
        body.load_state_dict(
            load_state_dict_from_url(config.url, map_location="cpu", weights_only=True)
        )
    return body, config.mean, config.std


@contextmanager
def _weights_of(name: str, url: str) -> Iterator[None]:
    """Turn what can go wrong with a weights file into one line."""
    file = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(url).path).name
    try:
        yield
    except (OSError, HTTPException) as error:  # URLError and the hub's errors are OSErrors
        raise UserError(
            f"model.pretrained=imagenet: the weights of {name} could not be downloaded "
            f"({_line(error)}); expected network access or the file in {file}"
        ) from error
    except (RuntimeError, UnpicklingError, EOFError, KeyError, ValueError) as error:
        raise UserError(
            f"model.pretrained=imagenet: {file} does not hold the weights of {name} "
            f"({_line(error)}); expected the file of {url}"
        ) from error


def _line(error: Exception) -> str:
    """The first line of an error's text, or its kind if it has none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(":")
