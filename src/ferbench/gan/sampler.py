"""Images of a trained generator by seed and label, alone or streamed into a set on disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

import stylegan2_ada as sg
from ferbench.data.resize import resize_tensor
from ferbench.data.synthetic_set import SetWriter
from ferbench.errors import UserError
from ferbench.gan.trained import TrainedGenerator, condition_table
from ferbench.progress import Counter
from ferbench.runs.precision import Precision

CENTER_SEED = 0  # of the latents behind the class centers
DTYPES = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
LUMA = (0.299, 0.587, 0.114)  # of R, G, B; ITU-R 601-2, as FER2013's own colors are read
SAFE_SECONDS = 2.0  # between two saves of the progress


@dataclass(frozen=True)
class Rendering:
    """How images are made of styles.

    noise: "const", "seed" or "none". out_px: side of the images, None for the generator's own;
    resize: "area" or "bicubic". batch: images at a time.
    """

    noise: str
    precision: Precision
    out_px: int | None
    resize: str
    batch: int


@dataclass(frozen=True)
class Truncation:
    """How styles are pulled toward a center; see `stylegan2_ada.truncate`.

    psi: in [0, 1]. cutoff: layers, None for all. center: "class" or "global"; an unconditional
    generator has the global one alone. center_latents: behind each class center.
    """

    psi: float
    cutoff: int | None
    center: str
    center_latents: int


class Sampler:
    """A generator with everything that decides what the image of a seed and a label is.

    Raises UserError if the generator has fewer style layers than `truncation.cutoff`.
    """

    def __init__(
        self, generator: TrainedGenerator, truncation: Truncation, rendering: Rendering
    ) -> None:
        self.generator, self.truncation, self.rendering = generator, truncation, rendering
        self.network, self.config = generator.network, generator.network.config
        self.image_px: int = rendering.out_px or self.config.img_resolution
        self.batch, self.precision = rendering.batch, rendering.precision
        self._dtype = DTYPES[self.precision.name]
        if truncation.cutoff is not None and truncation.cutoff > self.config.num_ws:
            raise UserError(
                f"cutoff={truncation.cutoff}: this generator has {self.config.num_ws} "
                f"style layers; expected 0 to {self.config.num_ws}"
            )

    @cached_property
    def _class_conditions(self) -> Tensor:
        """The condition of each label, [K, c_dim]."""
        return condition_table(self.config.c_dim, len(self.generator.classes))

    @cached_property
    def class_centers(self) -> Tensor:
        """Mean w of each class, [K, w_dim]; for a generator with classes."""
        return sg.class_centers(
            self.network.mapping,
            self._class_conditions.to(self.network.mapping.w_avg),
            latents=self.truncation.center_latents,
            generator=torch.Generator().manual_seed(CENTER_SEED),
        )

    def conditions(self, labels: Sequence[int] | np.ndarray) -> Tensor:
        """Conditions [N, c_dim] of labels; [N, 0] for an unconditional generator."""
        if not self.config.c_dim:
            return torch.zeros(len(labels), 0)
        return self._class_conditions[torch.as_tensor(labels)]

    def draw(self, seeds: Sequence[int], labels: Sequence[int] | np.ndarray) -> np.ndarray:
        """Gray images [N, H, H] uint8, one batch: image i is that of seeds[i] and labels[i] alone.

        Raises UserError if an image is not finite.
        """
        return self._pixels(self._images(seeds, labels, self.truncation), gray=True)

    def pictures(
        self, seeds: Sequence[int], labels: Sequence[int], truncation: Truncation | None = None
    ) -> np.ndarray:
        """As `draw`, in batches and in the generator's colors: [N, H, H] or [N, 3, H, H] uint8."""
        parts = [
            self._images(
                seeds[i : i + self.batch], labels[i : i + self.batch], truncation or self.truncation
            )
            for i in range(0, len(seeds), self.batch)
        ]
        return np.concatenate([self._pixels(part, gray=False) for part in parts])

    @torch.no_grad()
    def styles(self, seeds: Sequence[int], labels: Sequence[int]) -> Tensor:
        """Truncated style vectors [N, num_ws, w_dim] of seeds and labels."""
        conditions, truncation = self.conditions(labels), self.truncation
        streams = [torch.Generator().manual_seed(seed) for seed in seeds]
        like = self.network.mapping.w_avg
        z = sg.latents(streams, self.config.z_dim).to(like)
        ws: Tensor = self.network.mapping(
            z,
            conditions.to(like),
            psi=truncation.psi,
            cutoff=truncation.cutoff,
            center=self._center(labels, truncation),
        )
        return ws

    @torch.no_grad()
    def render(self, ws: Tensor) -> np.ndarray:
        """Images of style vectors as `pictures` gives them.

        Noise is the stored one, except with noise="none": styles between two seeds have no seed.
        """
        noise = "none" if self.rendering.noise == "none" else "const"
        parts = [
            self.network.synthesis(part, noise=noise, dtype=self._dtype)
            for part in ws.split(self.batch)
        ]
        return np.concatenate([self._pixels(part, gray=False) for part in parts])

    def _images(
        self, seeds: Sequence[int], labels: Sequence[int] | np.ndarray, truncation: Truncation
    ) -> Tensor:
        conditions = self.conditions(labels)
        return sg.sample(
            self.network,
            seeds,
            conditions,
            psi=truncation.psi,
            cutoff=truncation.cutoff,
            center=self._center(labels, truncation),
            noise=self.rendering.noise,
            dtype=self._dtype,
        )

    def _center(self, labels: Sequence[int] | np.ndarray, truncation: Truncation) -> Tensor | None:
        """Where each image is pulled to; None: the running mean of w, or no pull at all."""
        if truncation.psi == 1 or truncation.center == "global" or not self.config.c_dim:
            return None
        return self.class_centers[torch.as_tensor(labels)]

    def _pixels(self, images: Tensor, *, gray: bool) -> np.ndarray:
        """[N, C, H, W] float as uint8 at the wanted size: [N, H, H], colors [N, 3, H, H]."""
        if not images.isfinite().all():
            raise UserError(
                f"gan={self.generator.source}: gives an image that is not finite in "
                f"{self.precision.name}; expected another generator, or precision=fp32"
            )
        if gray and images.shape[1] == 3:
            images = (images.clamp(-1, 1) * images.new_tensor(LUMA)[:, None, None]).sum(1, True)
        pixels = sg.to_uint8(images.float())
        planes = resize_tensor(pixels.flatten(0, 1), self.image_px, method=self.rendering.resize)
        planes = planes.unflatten(0, pixels.shape[:2])  # [N, C, H, H]
        return (planes[:, 0] if planes.shape[1] == 1 else planes).cpu().numpy()


class Stopped(Exception):
    """The stream was asked to stop; what is done is safe on the disk."""

    def __init__(self, images: int) -> None:
        super().__init__(f"stopped after {images:,} images")
        self.images = images


def stream(
    sampler: Sampler,
    writer: SetWriter,
    labels: np.ndarray,
    *,
    seed: int,
    should_stop: Callable[[], bool],
) -> None:
    """Fill a set batch by batch, from where it stands: image i is that of seed + i and labels[i].

    Progress is saved between batches, so a set that was stopped and gone on with has the same bytes
    as one in one go. Memory does not grow with the set. Raises Stopped when should_stop() is true.
    """
    saved = time.monotonic()
    with Counter(len(labels), "drawn", done=writer.done) as bar:
        while writer.done < len(labels):
            if should_stop():
                writer.save_progress()
                raise Stopped(writer.done)
            chosen = labels[writer.done : writer.done + sampler.batch]
            first = seed + writer.done
            writer.append(sampler.draw(range(first, first + len(chosen)), chosen))
            bar.update(len(chosen))
            if time.monotonic() - saved > SAFE_SECONDS:
                writer.save_progress()
                saved = time.monotonic()
