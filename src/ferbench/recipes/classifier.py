"""How a classifier is trained, as plain values: read from conf/train/, checked here.

No postponed annotations in this file: OmegaConf reads the field types.
"""

from dataclasses import dataclass

from ferbench.errors import at_least, at_most, between, one_of
from ferbench.recipes.marks import Neutral, Result
from ferbench.recipes.switch import switch

_NEVER = (1_000_000_000, "that is never reached")
_AT_MOST: dict[str, tuple[float, str]] = {
    "epochs": (1_000_000, "so many epochs take years"),
    "batch": (65_536, "the images of a step are in memory together"),
    "accumulate": (65_536, "an epoch has fewer batches"),
    "peak_lr": (100, "every step would break the weights"),
    "weight_decay": (100, "every step would break the weights"),
    "mixup": (1000, "every mixture is half and half by then"),
    "cutmix": (1000, "every mixture is half and half by then"),
    "clip_norm": _NEVER,
    "patience_epochs": _NEVER,
    "score_epochs": _NEVER,
}


@dataclass(frozen=True)
class Augment:
    """How far a training image may be changed; 0 switches a part off.

    rotate_degrees, zoom (0.1: from 0.9 to 1.1), shift (fraction of the side) and shear_degrees are
    drawn uniformly in +-; flip: probability; brightness: fraction of the gray range; contrast:
    factor 1 +- c; erase: probability of a gray rectangle (random erasing, Zhong et al. 2020).
    """

    flip: Result[float]
    rotate_degrees: Result[float]
    zoom: Result[float]
    shift: Result[float]
    shear_degrees: Result[float]
    brightness: Result[float]
    contrast: Result[float]
    erase: Result[float]

    def __post_init__(self) -> None:
        between("train.augment.flip", self.flip, 0, 1)
        between("train.augment.erase", self.erase, 0, 1)
        between("train.augment.zoom", self.zoom, 0, 0.9)
        between("train.augment.shift", self.shift, 0, 0.5)
        between("train.augment.rotate_degrees", self.rotate_degrees, 0, 180)
        between("train.augment.shear_degrees", self.shear_degrees, 0, 45)
        between("train.augment.brightness", self.brightness, 0, 1)
        between("train.augment.contrast", self.contrast, 0, 1)


@dataclass(frozen=True)
class Recipe:
    """How a classifier is fitted; the values stand in conf/train/.

    name: of the file there, for the table.
    """

    name: Neutral[str]
    epochs: Result[int]
    batch: Result[int]
    optimizer: Result[str]
    peak_lr: Result[float]
    momentum: Result[float]
    weight_decay: Result[float]
    schedule: Result[str]
    warmup_epochs: Result[float]
    label_smoothing: Result[float]
    mixup: Result[float]
    cutmix: Result[float]
    class_weights: Result[str]
    sampling: Result[str]
    ema_decay: Result[float]
    clip_norm: Result[float]
    accumulate: Result[int]
    patience_epochs: Result[int]
    score_epochs: Result[int]
    select: Result[str]
    compile: Result[bool]
    graphs: Neutral[str]
    augment: Result[Augment]

    def __post_init__(self) -> None:
        for key, (high, why) in _AT_MOST.items():
            at_most(f"train.{key}", getattr(self, key), high, why)
        at_least("train.epochs", self.epochs, 1)
        at_least("train.batch", self.batch, 2)
        at_least("train.accumulate", self.accumulate, 1)
        at_least("train.peak_lr", self.peak_lr, 0)
        at_least("train.mixup", self.mixup, 0)
        at_least("train.cutmix", self.cutmix, 0)
        at_least("train.clip_norm", self.clip_norm, 0)
        at_least("train.weight_decay", self.weight_decay, 0)
        at_least("train.patience_epochs", self.patience_epochs, 0)
        at_least("train.score_epochs", self.score_epochs, 1)
        between("train.momentum", self.momentum, 0, 0.9999)
        between("train.label_smoothing", self.label_smoothing, 0, 0.99)
        between("train.ema_decay", self.ema_decay, 0, 0.99999)
        between("train.warmup_epochs", self.warmup_epochs, 0, self.epochs)
        one_of("train.optimizer", self.optimizer, ("adamw", "sgd", "muon"))
        one_of("train.schedule", self.schedule, ("cosine", "one_cycle", "constant"))
        one_of("train.class_weights", self.class_weights, ("none", "inverse", "sqrt_inverse"))
        one_of("train.sampling", self.sampling, ("natural", "balanced"))
        switch("train.graphs", self.graphs)
        one_of("train.select", self.select, ("accuracy", "macro_f1", "loss", "last"))
