"""The one face of every classifier network."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from ferbench.models.network import Network


class FaceClassifier(nn.Module):
    """Gray faces to logits, at the size that the network takes.

    network: gets [N, 1, input_px, input_px].
    """

    def __init__(self, network: Network, *, input_px: int) -> None:
        super().__init__()
        self.network = network
        self.input_px = input_px

    def forward(self, images: Tensor) -> Tensor:
        """[N, 1, H, H] float32 images in [-1, 1] to [N, classes] logits."""
        return self.network(self._resized(images))  # type: ignore[no-any-return]

    def embed(self, images: Tensor) -> Tensor:
        """[N, 1, H, H] float32 images in [-1, 1] to [N, F] features: what the head sees."""
        return self.network.embed(self._resized(images))

    def train(self, mode: bool = True) -> FaceClassifier:
        """As nn.Module.train, but what is frozen stays in evaluation mode."""
        super().train(mode)
        rest(self.network)
        return self

    def _resized(self, images: Tensor) -> Tensor:
        """[N, 1, input_px, input_px], bicubic without aliasing; [-1, 1] is kept."""
        if images.shape[-1] == self.input_px:
            return images
        size = (self.input_px, self.input_px)
        resized = functional.interpolate(images, size, mode="bicubic", antialias=True)
        return resized.clamp(-1, 1)  # bicubic weights are negative in places


def freeze(network: nn.Module, tune: str, *, last_stage: str) -> None:
    """Let the layers that `tune` names train and no other; parameters stand in forward order.

    tune: all; last: from the module `last_stage` to the end; head: the final linear layer.
    last_stage: module path inside `network`.
    """
    start = {"all": "", "last": f"{last_stage}.", "head": "head."}[tune]
    trains = False
    for name, parameter in network.named_parameters():
        trains = trains or name.startswith(start)
        parameter.requires_grad_(trains)
    assert trains, f"{type(network).__name__} has no {start}"


def rest(network: nn.Module) -> None:
    """Put every module whose parameters are all frozen into evaluation mode.

    So frozen normalization keeps its running statistics, and frozen blocks drop nothing.
    """
    for module in network.modules():
        frozen = [not parameter.requires_grad for parameter in module.parameters()]
        if frozen and all(frozen):
            module.eval()
