"""The files of a GAN run that hold networks: light checkpoints to use, the state to go on from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ferbench.errors import UserError
from ferbench.gan import trained
from ferbench.gan.setup import Training
from ferbench.runs import checkpoint

STATE = "state.pt"
STATE_FORMAT = "ferbench train-gan state 2"


def load_state(path: Path, settings: str) -> dict[str, Any]:
    """A state that `Weights.save_state` wrote in a training with these `Training.settings`.

    Raises UserError if it is damaged, of another format or of another training.
    """
    state = checkpoint.load_state(path, format_name=STATE_FORMAT)
    if state["settings"] != settings:
        raise UserError(f"{path}: is the state of a run with other settings; expected its own")
    return state


def history_of(state: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The rows of all ticks in a state; [] for None, a run from its beginning."""
    history: list[dict[str, Any]] = json.loads(state["history"]) if state else []
    return history


def best_of(state: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a state says of the best weights so far; {} if there are none."""
    best: dict[str, Any] = json.loads(state["best"]) if state else {}
    return best


class Weights:
    """Writes a run's networks into its folder.

    facts: what light checkpoints shall say of the run besides what a tick tells. resumed: whether
    the networks come from the folder's state.
    """

    def __init__(
        self, folder: Path, training: Training, facts: Mapping[str, Any], *, resumed: bool
    ) -> None:
        self.folder, self.training, self.facts = folder, training, dict(facts)
        self.saved_kimg = training.kimg if resumed else None

    def save_light(self, name: str, scores: Mapping[str, Any]) -> None:
        """Averaged generator and discriminator, in float16, with what is known of them.

        scores: of the judge; only distance and class_accuracy are taken.
        """
        trainer, faces = self.training.trainer, self.training.faces
        facts = {
            **self.facts,
            "classes": list(faces.names) if len(faces.class_conditions) > 1 else [],
            "res": int(faces.images.shape[-1]),
            "class_counts": faces.class_counts,
            "kimg": self.training.kimg,
            "augment_p": trainer.augment_p,
            **{k: v for k, v in scores.items() if k in ("distance", "class_accuracy")},
        }
        trained.save(self.folder / name, trainer.ema, trainer.discriminator, facts)

    def save_state(
        self,
        trainer_state: dict[str, Any],
        history: Sequence[Mapping[str, Any]],
        best: Mapping[str, Any],
    ) -> None:
        """Everything that the run needs to go on. trainer_state: what the trainer gave."""
        state = {
            "trainer": trainer_state,
            "batches": self.training.batches.state_dict(),
            "history": json.dumps(history),
            "best": json.dumps(best),
            "settings": self.training.settings,
        }
        checkpoint.save_state(self.folder / STATE, state, format_name=STATE_FORMAT)
        self.saved_kimg = self.training.kimg

    def last_state(self) -> str:
        """In words: where an error leaves the run."""
        if self.saved_kimg is None:
            return "no state was saved before"
        return f"the last good state is {self.folder / STATE} ({self.saved_kimg:.1f} kimg)"
