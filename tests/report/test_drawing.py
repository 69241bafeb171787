"""What figures share: labels that do not collide, values that fit, vector graphics."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from ferbench.report import drawing

SHORT = {0.0284: "0.03", 0.857: "0.86", 5.06: "5.1", 79.4: "79", 141.2: "141"}


def overlap(places: np.ndarray, sizes: np.ndarray) -> list[tuple[int, int]]:
    return [
        (i, j)
        for i, j in itertools.combinations(range(len(places)), 2)
        if (np.abs(places[i] - places[j]) < (sizes[i] + sizes[j]) / 2 - 1e-9).all()
    ]


@pytest.mark.parametrize("spread", [0.0, 0.02, 0.1])
def test_labels_at_nearly_the_same_place_move_apart(spread: float) -> None:
    rng = np.random.default_rng(0)
    middles = 0.5 + spread * rng.standard_normal((7, 2))
    sizes = np.tile([0.17, 0.06], (7, 1))
    assert overlap(middles, sizes)
    places = drawing.apart(middles, sizes)
    assert not overlap(places, sizes)
    assert (places >= sizes / 2).all() and (places <= 1 - sizes / 2).all()
    assert np.array_equal(places, drawing.apart(middles, sizes))


def test_labels_that_do_not_collide_stay() -> None:
    middles, sizes = np.array([[0.2, 0.2], [0.8, 0.8]]), np.full((2, 2), 0.1)
    assert np.array_equal(drawing.apart(middles, sizes), middles)


@pytest.mark.parametrize("value", SHORT)
def test_a_value_over_a_bar_has_four_characters(value: float) -> None:
    assert drawing.short(value) == SHORT[value]


def test_figures_are_vector_graphics_too_where_they_are_wanted(tmp_path: Path) -> None:
    def draw(name: str) -> None:
        with drawing.saved(tmp_path / f"{name}.png", 2, 2) as (_, axes):
            axes.plot([0, 1], [0, 1])

    draw("plain")
    with drawing.also_as_pdf():
        draw("both")
    with drawing.also_as_pdf(False):
        draw("not")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["both.pdf", "both.png", "not.png", "plain.png"]
    first = (tmp_path / "both.pdf").read_bytes()
    assert first.startswith(b"%PDF")
    with drawing.also_as_pdf():
        draw("both")
    assert (tmp_path / "both.pdf").read_bytes() == first  # no date is in it
