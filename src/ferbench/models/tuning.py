"""Which layers of a network train."""

from __future__ import annotations

from torch import nn


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
