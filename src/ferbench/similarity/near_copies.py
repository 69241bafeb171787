"""Pairs of images that show one photograph: cropped elsewhere, brighter, recompressed, mirrored.

A pair is measured by its aligned correlation: the Pearson correlation of the central 42 x 42
pixels of one image with a 42 x 42 window of the other, the largest over shifts of up to 3 pixels
each way. It does not change with brightness and contrast, nor with a crop that is a little off.

Over the real FER2013 its histogram has two humps with a valley at 0.91 to 0.92. Looked at by
eye: the 48 random pairs from 0.95 to 0.97 all show one photograph, as do the 24 from 0.94 to
0.95; below 0.93 different people begin to appear. All 31 mirrored pairs over 0.95 are true, too.
So at 0.95 what is counted is nearly certain, and some hundreds of pairs that differ more are
missed.

Comparing 6e8 pairs so would take hours. Candidates are the pairs whose 8 x 8 area averages
correlate at 0.92 or more, found by matrix products; on FER2013 those hold 99 % of the near pairs
(at 0.95) that 12 x 12 averages at 0.88 give.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ferbench.classes import IMAGE_PX
from ferbench.errors import UserError

CANDIDATE_CORRELATION = 0.92
CELLS = 8  # candidates are compared as CELLS x CELLS averages
SHIFT_PX = 3
WINDOW_PX = IMAGE_PX - 2 * SHIFT_PX
MAX_CANDIDATES = 5_000_000  # FER2013 has 26,000

_ROWS = 1024  # images a matrix product
_BATCH = 512  # pairs an FFT


def find_pairs(
    images: np.ndarray,
    *,
    near_correlation: float,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Near pairs among `images` [N, 48, 48] uint8, none of them constant.

    near_correlation: aligned correlation from which a pair is near, 0.9 to 1; below 0.9 the
    candidates would miss many.
    Returns (pairs [P, 2] int64 with first < second, mirrored [P] bool, correlation [P] float64),
    sorted. A pair that is near both ways is given as it correlates more.
    on_progress(images compared, N), called while candidates are sought.
    Raises UserError if over MAX_CANDIDATES pairs are alike: images of one pattern, not photographs.
    """
    pairs, mirrored = _joined(_candidates(images, on_progress))
    correlation = np.empty(len(pairs))
    for start in range(0, len(pairs), _BATCH):
        batch = slice(start, start + _BATCH)
        first, second = images[pairs[batch, 0]], images[pairs[batch, 1]]
        correlation[batch] = aligned_correlation(first, _mirror(second, mirrored[batch]))
    near = np.flatnonzero(correlation >= near_correlation)
    order = near[np.lexsort((-correlation[near], pairs[near, 1], pairs[near, 0]))]
    _, best = np.unique(pairs[order], axis=0, return_index=True)
    chosen = order[best]
    return pairs[chosen], mirrored[chosen], correlation[chosen]


def aligned_correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """[P] float64 in [-1, 1]: the aligned correlation of each pair of images (see the module).

    first, second: [P, 48, 48], any number type. A constant window correlates with nothing (0).
    """
    inner = slice(SHIFT_PX, IMAGE_PX - SHIFT_PX)
    template = np.zeros(first.shape, np.float64)
    template[:, :WINDOW_PX, :WINDOW_PX] = _unit(first[:, inner, inner])
    target = second.astype(np.float64)
    spectrum = np.conj(np.fft.rfft2(template)) * np.fft.rfft2(target)
    shifts = slice(0, 2 * SHIFT_PX + 1)
    product = np.fft.irfft2(spectrum, s=(IMAGE_PX, IMAGE_PX))[:, shifts, shifts]
    mean = _window_sums(target) / WINDOW_PX**2
    variance = _window_sums(target**2) / WINDOW_PX**2 - mean**2
    norm = WINDOW_PX * np.sqrt(np.maximum(variance, 0.0))
    ratio = np.divide(product, norm, out=np.zeros_like(product), where=norm > 1e-3)
    best: np.ndarray = ratio.max(axis=(1, 2))
    return best


def _candidates(
    images: np.ndarray, on_progress: Callable[[int, int], None] | None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Parts of (pairs [., 2], mirrored [.]) over CANDIDATE_CORRELATION, each pair once a way.

    Mirroring one image or the other is the same, so both ways need pairs first < second only.
    """
    cell = IMAGE_PX // CELLS
    small = images.reshape(-1, CELLS, cell, CELLS, cell).mean(axis=(2, 4), dtype=np.float32)
    plain, flipped = _flat(_unit(small)), _flat(_unit(small[:, :, ::-1]))
    count = 0
    for start in range(0, len(images), _ROWS):
        for mirrored, others in ((False, plain), (True, flipped)):
            alike = plain[start : start + _ROWS] @ others[start:].T >= CANDIDATE_CORRELATION
            alike = np.triu(alike, 1)
            count += int(np.count_nonzero(alike))
            if count > MAX_CANDIDATES:
                text = f"over {MAX_CANDIDATES:,} pairs of images look alike"
                raise UserError(f"near duplicates: {text}; expected photographs of faces")
            pairs = np.stack(np.divmod(np.flatnonzero(alike), alike.shape[1]), axis=1) + start
            yield pairs, np.full(len(pairs), mirrored)
        if on_progress:
            on_progress(min(start + _ROWS, len(images)), len(images))


def _joined(parts: Iterator[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    pairs, mirrored = [np.empty((0, 2), np.int64)], [np.empty(0, bool)]
    for some, flips in parts:
        pairs.append(some)
        mirrored.append(flips)
    return np.concatenate(pairs), np.concatenate(mirrored)


def _mirror(images: np.ndarray, flips: np.ndarray) -> np.ndarray:
    """Those of `images` [P, 48, 48] with a True in `flips` [P] mirrored left to right."""
    mirrored: np.ndarray = np.where(flips[:, None, None], images[:, :, ::-1], images)
    return mirrored


def _unit(images: np.ndarray) -> np.ndarray:
    """Each image with mean 0 and norm 1; zeros where it is constant."""
    centered = images - images.mean(axis=(1, 2), keepdims=True)
    norm = np.sqrt((centered**2).sum(axis=(1, 2), keepdims=True))
    unit: np.ndarray = centered / np.maximum(norm, 1e-3)
    return unit


def _flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), CELLS**2)


def _window_sums(images: np.ndarray) -> np.ndarray:
    """[P, 7, 7] sums over the 42 x 42 windows, by a table of cumulative sums."""
    sums = np.zeros((len(images), IMAGE_PX + 1, IMAGE_PX + 1))
    sums[:, 1:, 1:] = images.cumsum(axis=1).cumsum(axis=2)
    low, high = slice(0, 2 * SHIFT_PX + 1), slice(WINDOW_PX, IMAGE_PX + 1)
    total: np.ndarray = sums[:, high, high] - sums[:, low, high] - sums[:, high, low]
    return total + sums[:, low, low]
