"""Sheets of images: places, enlargement, names."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ferbench.report import sheets
from ferbench.report.sheets import GAP_PX, LABEL_PX


def test_every_image_is_in_its_place() -> None:
    """48 px are doubled; cell (r, c) starts at (r, c) times 96 + gap, after the names."""
    cells = np.arange(6, dtype=np.uint8).reshape(2, 3, 1, 1) * 40 + np.zeros(
        (1, 1, 48, 48), np.uint8
    )
    pixels = np.asarray(sheets.sheet(cells, rows=["a", "b"]))
    step = 96 + GAP_PX
    assert pixels.shape == (2 * step - GAP_PX, LABEL_PX + 3 * step - GAP_PX)
    for r in range(2):
        for c in range(3):
            left = LABEL_PX + c * step
            cell = pixels[r * step : r * step + 96, left : left + 96]
            assert (cell == cells[r, c, 0, 0]).all()


def test_names_are_written_beside_the_rows() -> None:
    cells = np.full((2, 1, 48, 48), 255, np.uint8)
    pixels = np.asarray(sheets.sheet(cells, rows=["happy", "sad"]))
    assert (pixels[:96, :LABEL_PX] < 128).any()
    assert (pixels[96 + GAP_PX :, :LABEL_PX] < 128).any()


@pytest.mark.parametrize("channels", [1, 3])
def test_a_sheet_is_saved_whole(tmp_path: Path, channels: int) -> None:
    cells = np.zeros((1, 2, channels, 32, 32), np.uint8)
    sheets.save(sheets.sheet(cells, columns=["1", "2"], title="t"), tmp_path / "a" / "x.png")
    assert Image.open(tmp_path / "a" / "x.png").mode == ("L" if channels == 1 else "RGB")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["x.png"]
