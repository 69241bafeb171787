"""Pictures that show what a generator has learned: grid, interpolation, style mixing, truncation.

Each function writes its files into a folder and returns their paths. Rows are the classes (the
first ten, if there are more), or seeds where the generator has no classes. Colors stay, where the
generator makes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ferbench.data.contact_sheets import shrunk
from ferbench.errors import UserError, nearest
from ferbench.files import write_whole
from ferbench.gan.sampler import Sampler
from ferbench.report import sheets

MOST_CLASSES, SEED_ROWS = 10, 7
GRID_COLUMNS, STRIP_COLUMNS, GIF_FRAMES = 12, 9, 25
FRAME_MILLISECONDS = 80
SEED_DIGITS = 19  # torch takes seeds of 64 bits
PSIS = tuple(i / 10 for i in range(11))
PAIR = "expected two seeds such as 0,5 or two classes such as happy,sad"


def grid(folder: Path, sampler: Sampler, *, seed: int) -> list[Path]:
    """grid.png: a row a class, the same latent down each column; other latents without classes."""
    labels, names = _rows(sampler)
    seeds = seed + np.arange(len(labels) * GRID_COLUMNS).reshape(-1, GRID_COLUMNS)
    if names:
        seeds[:] = seeds[0]
    images = sampler.pictures(seeds.ravel().tolist(), np.repeat(labels, GRID_COLUMNS).tolist())
    columns = [str(one) for one in seeds[0]] if names else []
    title = f"Seeds {seeds.min()} to {seeds.max()}{_truncated(sampler)}"
    return _save(folder / "grid.png", _in_rows(images, len(labels)), title, names, columns)


def interpolation(folder: Path, sampler: Sampler, pair: str, *, seed: int) -> list[Path]:
    """interpolation_<a>_<b>.png and .gif: straight lines of styles between two seeds or classes.

    Between seeds a row is a class; between classes a row is a latent, from `seed` on, that stays.
    Raises UserError if `pair` names neither.
    """
    start, end, names = _ends(sampler, pair, seed)
    first, last = (part.strip() for part in pair.split(","))
    name = f"interpolation_{first}_{last}"
    title = f"From {first} to {last}{_truncated(sampler)}"
    places = np.linspace(0, 1, STRIP_COLUMNS)
    strip = torch.stack([start.lerp(end, float(t)) for t in places], 1).flatten(0, 1)
    columns = [f"{t:.2f}" for t in places]
    tiles = _in_rows(sampler.render(strip), len(start))
    written = _save(folder / f"{name}.png", tiles, title, names, columns)
    frames = []
    for t in np.linspace(0, 1, GIF_FRAMES):
        row = sampler.render(start.lerp(end, float(t)))[None]
        frames.append(_sheet(row, f"{title}: {t:.2f}", [], names))
    return [*written, _save_gif(folder / f"{name}.gif", frames)]


def style_mix(folder: Path, sampler: Sampler, *, seed: int) -> list[Path]:
    """style_mix.png: the first half of the style layers of a row's face, the others of a column's.

    The sources stand at the left and at the top (StyleGAN, arXiv 1812.04948, section 3.1).
    Raises UserError for a generator with one style layer.
    """
    check_layers(sampler)
    layers = sampler.config.num_ws
    labels, names = _rows(sampler)
    n, half = len(labels), layers // 2
    left = sampler.styles(range(seed, seed + n), labels)
    top = sampler.styles(range(seed + n, seed + 2 * n), labels)
    mixed = left[:, None].expand(-1, n, -1, -1).clone()  # [row, column, layer, w]
    mixed[:, :, half:] = top[None, :, half:]
    inner = _in_rows(sampler.render(mixed.flatten(0, 1)), n)
    head, side = sampler.render(top)[None], sampler.render(left)[:, None]
    head = np.concatenate([np.full_like(side[:1], sheets.PAPER), head], 1)
    tiles = np.concatenate([head, np.concatenate([side, inner], 1)])
    title = f"Layers 0-{half - 1} of the left face, {half}-{layers - 1} of the upper one"
    rows, columns = (["", *names], ["", *names]) if names else ((), ())
    return _save(folder / "style_mix.png", tiles, title, rows, columns)


def truncation(folder: Path, sampler: Sampler, *, seed: int) -> list[Path]:
    """truncation_<center>.png: one latent from psi 0, the center itself, to psi 1.

    Towards the centers of the classes, if there are classes, and towards the global one.
    """
    labels, names = _rows(sampler)
    seeds = [seed] * len(labels) if names else list(range(seed, seed + len(labels)))
    written = []
    for center in ("class", "global") if names else ("global",):
        changed = (replace(sampler.truncation, psi=psi, center=center) for psi in PSIS)
        tiles = np.stack([sampler.pictures(seeds, labels, one) for one in changed], 1)
        title = f"Truncation psi toward the {center} center, seed {seed}"
        columns = [f"{psi:.1f}" for psi in PSIS]
        written += _save(folder / f"truncation_{center}.png", tiles, title, names, columns)
    return written


def check_pair(pair: str, classes: Sequence[str]) -> tuple[bool, int, int]:
    """(between classes?, first, last): seeds or class numbers; UserError if `pair` is neither."""
    ends = [part.strip() for part in pair.split(",")]
    if len(ends) != 2:
        raise UserError(f"interpolate={pair}: {PAIR}")
    if all(end.isdecimal() and len(end) < SEED_DIGITS for end in ends):
        return False, int(ends[0]), int(ends[1])
    for end in ends:
        if end not in classes:
            near = nearest(end, classes) if classes else "this generator has no classes"
            raise UserError(f"interpolate={pair}: no class {end!r}; {near}")
    return True, classes.index(ends[0]), classes.index(ends[1])


def check_layers(sampler: Sampler) -> None:
    """Raise UserError if there is nothing to mix."""
    if sampler.config.num_ws < 2:
        raise UserError("style_mix=true: this generator has one style layer; expected StyleGAN2")


def _ends(sampler: Sampler, pair: str, seed: int) -> tuple[Tensor, Tensor, list[str]]:
    """Styles [R, num_ws, w_dim] at both ends, and the names of the rows."""
    between_classes, first, last = check_pair(pair, sampler.generator.classes)
    if between_classes:
        seeds = range(seed, seed + SEED_ROWS)
        start, end = (sampler.styles(seeds, [k] * SEED_ROWS) for k in (first, last))
        return start, end, [str(one) for one in seeds]
    labels, names = _rows(sampler)
    if not names:
        labels = labels[:1]
    start, end = (sampler.styles([one] * len(labels), labels) for one in (first, last))
    return start, end, names


def _rows(sampler: Sampler) -> tuple[list[int], list[str]]:
    """Labels and names of the rows; without classes, some rows that have no name."""
    names = list(sampler.generator.classes[:MOST_CLASSES])
    return (list(range(len(names))), names) if names else ([0] * SEED_ROWS, [])


def _in_rows(images: np.ndarray, rows: int) -> np.ndarray:
    """[rows * C, H, H] (or with colors) as [rows, C, H, H], row by row."""
    return images.reshape(rows, -1, *images.shape[1:])


def _truncated(sampler: Sampler) -> str:
    psi, center = sampler.truncation.psi, sampler.truncation.center
    return f", psi {psi:g} toward the {center} center" if psi < 1 else ""


def _save(
    path: Path, tiles: np.ndarray, title: str, rows: Sequence[str], columns: Sequence[str]
) -> list[Path]:
    sheets.save(_sheet(tiles, title, rows, columns), path)
    return [path]


def _sheet(
    tiles: np.ndarray, title: str, rows: Sequence[str], columns: Sequence[str]
) -> Image.Image:
    return sheets.sheet(shrunk(tiles), title=title, rows=rows, columns=columns)


def _save_gif(path: Path, frames: Sequence[Image.Image]) -> Path:
    """Write frames that run forth and back for ever, whole or not at all."""
    others = [*frames[1:], *frames[-2:0:-1]]
    write_whole(
        path,
        lambda beside: frames[0].save(
            beside, "GIF", save_all=True, append_images=others, duration=FRAME_MILLISECONDS, loop=0
        ),
    )
    return path
