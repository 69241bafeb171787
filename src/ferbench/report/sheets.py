"""Sheets of small images with names beside their rows, by Pillow alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ferbench.files import write_whole

SHOWN_PX = 96  # small images are enlarged to about this, by whole factors
GAP_PX, LABEL_PX, FONT_PX = 2, 96, 14
PAPER, INK = 255, 0


def sheet(
    cells: np.ndarray, *, rows: Sequence[str] = (), columns: Sequence[str] = (), title: str = ""
) -> Image.Image:
    """Images in rows and columns, enlarged without smoothing.

    cells: [R, C, H, W] or [R, C, 1 or 3, H, W] uint8. rows, columns: names of all of them, or none.
    """
    pixels = cells[:, :, None] if cells.ndim == 4 else cells
    pixels = np.moveaxis(pixels, 2, -1)  # [R, C, H, W, 1 or 3]
    factor = max(1, round(SHOWN_PX / pixels.shape[2]))
    high, wide = pixels.shape[2] * factor, pixels.shape[3] * factor
    left = LABEL_PX if rows else 0
    top = FONT_PX + 8 if columns else 0
    head = FONT_PX + 10 if title else 0
    size = (
        left + pixels.shape[1] * (wide + GAP_PX) - GAP_PX,
        head + top + pixels.shape[0] * (high + GAP_PX) - GAP_PX,
    )
    gray = pixels.shape[-1] == 1
    paper = Image.new("L" if gray else "RGB", size, PAPER if gray else (PAPER,) * 3)
    for (r, c), cell in ((at, pixels[at]) for at in np.ndindex(*pixels.shape[:2])):
        image = Image.fromarray(cell[..., 0] if gray else cell)
        image = image.resize((wide, high), Image.Resampling.NEAREST)
        paper.paste(image, (left + c * (wide + GAP_PX), head + top + r * (high + GAP_PX)))
    _write_names(paper, rows, columns, title, at=(left, head + top), step=(wide, high))
    return paper


def save(image: Image.Image, path: Path) -> None:
    """Write a PNG, whole or not at all; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda beside: image.save(beside, "PNG", optimize=True))


def _write_names(
    paper: Image.Image,
    rows: Sequence[str],
    columns: Sequence[str],
    title: str,
    *,
    at: tuple[int, int],
    step: tuple[int, int],
) -> None:
    draw, font = ImageDraw.Draw(paper), ImageFont.load_default(FONT_PX)
    left, top = at
    wide, high = (size + GAP_PX for size in step)
    ink = INK if paper.mode == "L" else (INK,) * 3
    for i, name in enumerate(rows):
        draw.text((left - 8, top + i * high + high / 2), name, ink, font, anchor="rm")
    for i, name in enumerate(columns):
        draw.text((left + i * wide + wide / 2, top - 4), name, ink, font, anchor="ms")
    if title:
        draw.text((4, 4), title, ink, font)
