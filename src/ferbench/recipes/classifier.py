"""How a classifier is trained, as plain values: read from conf/train/, checked here.

No postponed annotations in this file: OmegaConf reads the field types.
"""

from dataclasses import asdict, dataclass
from typing import Any

from ferbench.errors import at_least, between, one_of


@dataclass(frozen=True)
class Augment:
    """How far a training image may be changed; 0 switches a part off.

    rotate_degrees, zoom (0.1: from 0.9 to 1.1), shift (fraction of the side) and shear_degrees are
    drawn uniformly in +-; flip: probability; brightness: fraction of the gray range; contrast:
    factor 1 +- c; erase: probability of a gray rectangle (random erasing, Zhong et al. 2020).
    """

    flip: float
    rotate_degrees: float
    zoom: float
    shift: float
    shear_degrees: float
    brightness: float
    contrast: float
    erase: float

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
    """How a classifier is fitted; the values stand in conf/train/."""

    epochs: int
    batch: int
    optimizer: str
    peak_lr: float
    momentum: float
    weight_decay: float
    schedule: str
    warmup_epochs: float
    label_smoothing: float
    mixup: float
    cutmix: float
    class_weights: str
    sampling: str
    ema_decay: float
    clip_norm: float
    accumulate: int
    patience_epochs: int
    score_epochs: int
    select: str
    compile: bool
    augment: Augment

    @property
    def identity(self) -> dict[str, Any]:
        """What a run is known by: every key changes its result."""
        return asdict(self)

    def __post_init__(self) -> None:
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
        one_of("train.select", self.select, ("accuracy", "macro_f1", "loss", "last"))
