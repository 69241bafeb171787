"""Synthetic images that a generator draws anew for every epoch of a classifier."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ferbench.classes import IMAGE_PX
from ferbench.classifiers.batches import DeviceFaces
from ferbench.classifiers.teacher import Teacher
from ferbench.gan.sampler import Rendering, Sampler, Truncation
from ferbench.gan.trained import TrainedGenerator
from ferbench.progress import Counter
from ferbench.runs.precision import Precision

# torch's CPU generators take 32 bits of a seed; the lower half is left to `ferbench synth`.
FIRST_SEED = SEEDS = 2**31
SEEDS_APART = 2**24  # between the first seeds of two draw_seeds
BATCH = 64  # images at once; in another batch an image may differ by rounding
NO_TRUNCATION = Truncation(psi=1.0, cutoff=None, center="class", center_latents=1)


def seeds_of(draw_seed: int, epoch: int, images: int) -> list[int]:
    """The seeds of the images of one epoch, counted from 0, of `images` each.

    All are in [2**31, 2**32), where `ferbench synth seed=0` never comes, and no two of a run are
    alike as long as it draws at most 2**31 images. Another draw_seed has others for the first
    2**24 images of a run (128 draw_seeds; then they come again).
    """
    first = draw_seed * SEEDS_APART + epoch * images
    return [FIRST_SEED + (first + i) % SEEDS for i in range(images)]


def sampler_of(generator: TrainedGenerator, precision: Precision) -> Sampler:
    """The generator as `ferbench synth out_px=48` has it: not truncated, noise from the seed."""
    rendering = Rendering("seed", precision, out_px=IMAGE_PX, resize="area", batch=BATCH)
    return Sampler(generator, NO_TRUNCATION, rendering)


class FreshFaces:
    """Puts an epoch's images in the place of the last one's: all but the first `faces.first`.

    Their labels stay. With a teacher, `faces` has targets, and those are renewed too. What an epoch
    shows is a function of draw_seed, epoch and generator, so a resumed run sees the same images.
    """

    def __init__(
        self,
        faces: DeviceFaces,
        sampler: Sampler,
        *,
        draw_seed: int,
        teacher: Teacher | None,
        should_stop: Callable[[], bool],
    ) -> None:
        assert (teacher is None) == (faces.targets is None)
        self.faces, self.sampler, self.draw_seed = faces, sampler, draw_seed
        self.teacher, self.should_stop = teacher, should_stop
        self.labels = faces.labels[faces.first :].cpu().numpy()

    def renew(self, epoch: int) -> bool:
        """Draw the images of an epoch, counted from 0; False if asked to stop before the last.

        Raises UserError if an image is not finite.
        """
        images = self.faces.images[self.faces.first :]  # a view: writing here changes them
        seeds = seeds_of(self.draw_seed, epoch, len(images))
        with Counter(len(seeds), f"faces of epoch {epoch + 1}") as bar:
            for start in range(0, len(seeds), BATCH):
                if self.should_stop():
                    return False
                part = slice(start, start + BATCH)
                drawn = self.sampler.draw(seeds[part], self.labels[part])
                images[part, 0] = torch.from_numpy(drawn).to(images.device)
                bar.update(len(drawn))
        if self.teacher is not None and self.faces.targets is not None:
            labels = self.faces.labels[self.faces.first :]
            self.faces.targets[self.faces.first :] = self.teacher.targets(images, labels)
        return True
