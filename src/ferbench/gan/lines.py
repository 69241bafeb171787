"""What a GAN run prints at each tick."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ferbench.progress import clock


def tick_line(row: Mapping[str, Any], total_kimg: float, names: Sequence[str]) -> str:
    """The numbers of a tick in one line for the terminal; `-` for what was not counted.

    row: as metrics.jsonl has it. names: of the classes, whose diversity is in the row.
    """
    left = (total_kimg - row["kimg"]) * row["seconds_per_kimg"]
    diversity = {name: row[f"diversity_{name}"] for name in names}
    least = min(diversity, key=lambda name: diversity[name])

    def number(name: str, digits: int, sign: str = "") -> str:
        return f"{row[name]:{sign}.{digits}f}" if name in row else "-"

    text = (
        f"{row['kimg']:8.1f} kimg {row['images_per_second']:6.1f} img/s "
        f"{row['seconds_per_kimg']:6.2f} s/kimg, left {clock(left)}, p {row['augment_p']:.3f}, "
        f"loss G {number('loss_g', 2)} D {number('loss_d', 2)}, "
        f"logits {number('real_logit', 2, '+')} {number('fake_logit', 2, '+')}, "
        f"gradients {number('grad_norm_g', 2)} {number('grad_norm_d', 2)}, "
        f"diversity {diversity[least]:.3f} ({least})"
    )
    if row["skipped_steps"]:
        text += f", {row['skipped_steps']} updates skipped"
    if "distance" in row:
        text += f", distance {row['distance']:.2f}"
    if "class_accuracy" in row:
        text += f", class accuracy {row['class_accuracy']:.3f}"
    return text
