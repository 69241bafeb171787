"""Where a training run stands: its counts, its best epoch and the numbers of every epoch."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass
class Position:
    """All of it is saved, so that a resumed run ends in the same numbers.

    Seconds: of the run, and of training alone. images, loss_sum, hits: of the epoch so far, the
    loss with one term per image.
    """

    epoch: int = 0
    step: int = 0  # inside the epoch
    seconds: float = 0.0
    train_seconds: float = 0.0
    train_images: int = 0
    images: int = 0
    loss_sum: float = 0.0
    hits: float = 0.0
    best_epoch: int = 0  # counted from 1; 0: none yet
    best_score: float = -math.inf
    history: list[dict[str, float]] = field(default_factory=list)

    @property
    def loss(self) -> float:
        """Mean training loss of the epoch so far, in nats."""
        return self.loss_sum / self.images

    @property
    def accuracy(self) -> float:
        """Training accuracy of the epoch so far, in [0, 1]; a mixed image counts by its shares."""
        return self.hits / self.images

    @property
    def images_per_second(self) -> float:
        """Training images of the whole run by the seconds of training."""
        return self.train_images / max(self.train_seconds, 1e-9)

    def end_epoch(self, lr: float, held_out: dict[str, float]) -> None:
        """Add the epoch's numbers to the history and begin the next epoch.

        lr: the learning rate that comes next. held_out: scores on the held-out faces, {} for none.
        """
        self.history.append(
            {
                "epoch": self.epoch + 1,
                "lr": lr,
                "train_loss": self.loss,
                "train_accuracy": self.accuracy,
                **{f"public_{name}": value for name, value in held_out.items()},
                "seconds": self.seconds,
                "images_per_second": self.images_per_second,
            }
        )
        self.epoch, self.step = self.epoch + 1, 0
        self.images, self.loss_sum, self.hits = 0, 0.0, 0.0
