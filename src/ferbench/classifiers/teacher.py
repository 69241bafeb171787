"""A classifier of real faces as a teacher: its probabilities stand for the labels of images."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ferbench.classes import CLASSES
from ferbench.classifiers.batches import DeviceFaces
from ferbench.classifiers.judge import BATCH, Judge
from ferbench.progress import Counter


@dataclass(frozen=True)
class Teacher:
    """Soft labels by distillation (Hinton, Vinyals and Dean 2015, arXiv 1503.02531).

    weight: in (0, 1], share of the judge's probabilities in a target, the rest is the label.
    temperature: of its softmax; above 1 the targets are softer, and nearer to uniform.
    """

    judge: Judge
    weight: float
    temperature: float

    def targets(self, images: Tensor, labels: Tensor) -> Tensor:
        """[N, 7] float16 on the images' device, rows of sum 1 but for rounding.

        images: [N, 1, 48, 48] uint8; labels: [N] int64.
        """
        shape = (len(images), len(CLASSES))
        targets = torch.empty(shape, dtype=torch.float16, device=images.device)
        with Counter(len(images), "labeled by the teacher") as bar:
            for start in range(0, len(images), BATCH):
                part = slice(start, start + BATCH)
                probabilities = self._probabilities(images[part, 0]).to(images.device)
                one_hot = F.one_hot(labels[part], len(CLASSES))
                targets[part] = self.weight * probabilities + (1 - self.weight) * one_hot
                bar.update(len(one_hot))
        return targets

    def _probabilities(self, images: Tensor) -> Tensor:
        """[N, 7] float32 on the CPU, the mean over images [N, 48, 48] and their mirror images."""
        views = [self.judge.describe(view).logits for view in (images, images.flip(-1))]
        logits = torch.from_numpy(np.stack(views))  # [2, N, 7]
        return (logits / self.temperature).softmax(2).mean(0)


def with_soft_labels(faces: DeviceFaces, teacher: Teacher, *, real: bool) -> DeviceFaces:
    """The faces with the teacher's targets.

    real: the first `faces.first`, which are the real ones, get them too; if not, those keep the
    labels that people gave them, as targets of 0 and 1.
    """
    targets = F.one_hot(faces.labels, len(CLASSES)).half()
    others = slice(0 if real else faces.first, None)
    targets[others] = teacher.targets(faces.images[others], faces.labels[others])
    return replace(faces, targets=targets)
