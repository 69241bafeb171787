"""A trained classifier of real faces as a judge of other images: its features and logits."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ferbench.classes import IMAGE_PX
from ferbench.classifiers import batches
from ferbench.errors import UserError
from ferbench.models import FaceClassifier
from ferbench.progress import Counter
from ferbench.runs.precision import Precision

BATCH = 512  # images at a time; the result does not depend on it


@dataclass(frozen=True)
class Description:
    """A judge's outputs for images: row i of both arrays is image i.

    features: [N, F] float32, what the classifier's final layer sees.
    logits: [N, 7] float32 in the order of `CLASSES`.
    """

    features: np.ndarray
    logits: np.ndarray

    def __len__(self) -> int:
        return len(self.features)

    def take(self, rows: np.ndarray) -> Description:
        """The rows of an index array or a boolean mask."""
        return Description(self.features[rows], self.logits[rows])


@dataclass(frozen=True)
class Judge:
    """A trained classifier in evaluation mode.

    name: of its run. hash: hex SHA-256 of its weights; features of judges with another hash may
    not be compared. data_hash: content hash of the real training split that it learned from.
    warnings: why it cannot be trusted (`doubts.of_judge`); none for a good judge.
    """

    model: FaceClassifier
    precision: Precision
    device: torch.device
    name: str
    hash: str
    data_hash: str
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.model.to(self.device).eval()
        self.precision.prepare(self.model)

    @property
    def identity(self) -> dict[str, str]:
        """Name and hash, which identify a judge."""
        return {"name": self.name, "hash": self.hash}

    def describe(
        self, images: np.ndarray | Tensor, *, batch: int = BATCH, what: str = ""
    ) -> Description:
        """Features and logits of images [N, H, W] uint8, N > 0, in one pass of the network.

        Image i is described as it stands (no mirror image, no crops) and by itself: the numbers do
        not depend on the batch, but for rounding. An array may be memory-mapped; a tensor may lie
        on any device. what: the name under which they are counted on the terminal; "": not at all.
        Raises UserError if an output is not finite.
        """
        assert images.ndim == 3 and len(images) > 0, f"images {images.shape}; expected [N, H, W]"
        parts = []
        with Counter(len(images), what) if what else nullcontext() as bar:
            for start in range(0, len(images), batch):
                parts.append(self._describe(images[start : start + batch]))
                if bar is not None:
                    bar.update(len(parts[-1][0]))
        features, logits = (torch.cat(rows).numpy() for rows in zip(*parts, strict=True))
        if not (np.isfinite(features).all() and np.isfinite(logits).all()):
            raise UserError(
                f"judge {self.name}: its outputs are not finite (NaN or infinite) in "
                f"{self.precision.name}; expected another judge or teacher, or precision=fp32"
            )
        return Description(features, logits)

    def is_finite(self) -> bool:
        """Whether features and logits of a black, a gray and a white image are finite."""
        images = np.stack([np.full((IMAGE_PX, IMAGE_PX), gray, np.uint8) for gray in (0, 128, 255)])
        return all(bool(outputs.isfinite().all()) for outputs in self._describe(images))

    @torch.inference_mode()
    def embed(self, images: Tensor) -> Tensor:
        """[N, F] float32 features of images [N, 1, H, W] float32 in [-1, 1], never rounded.

        In float32 whatever the precision: for differences between images that are nearly equal.
        """
        with torch.autocast(self.device.type, enabled=False):
            return self.model.embed(batches.channels_last(images.to(self.device)))

    @torch.inference_mode()
    def _describe(self, images: np.ndarray | Tensor) -> tuple[Tensor, Tensor]:
        pixels = images if isinstance(images, Tensor) else torch.from_numpy(np.array(images))
        assert pixels.dtype == torch.uint8, f"images are {pixels.dtype}; expected uint8"
        with self.precision.autocast():
            features = self.model.embed(batches.normalize(pixels[:, None].to(self.device)))
            logits = self.model.network.head(features)
        return features.float().cpu(), logits.float().cpu()
