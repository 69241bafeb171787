"""What a GAN run says and writes at each tick: numbers, pictures, warnings, states, weights."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm import tqdm

import stylegan2_ada as sg
from ferbench.classifiers.judge import Judge
from ferbench.errors import UserError
from ferbench.files import write_whole
from ferbench.gan import score, trained, watch
from ferbench.gan.score import Reference, Score
from ferbench.gan.setup import Material
from ferbench.recipes.gan import GanRecipe
from ferbench.report import sheets
from ferbench.runs import checkpoint
from ferbench.runs.loggers import Logger

STATE, HISTORY, SAMPLES = "state.pt", "metrics.jsonl", "samples.png"
COLUMNS = 10  # samples of each class in a picture


class Reports:
    """Called with every tick in the first process; keeps the run's history and its best weights."""

    def __init__(
        self,
        folder: Path,
        recipe: GanRecipe,
        faces: Material,
        trainer: sg.Trainer,
        batches: sg.RealBatches,
        *,
        judge: tuple[Judge, Reference] | None,
        logger: Logger,
        facts: Mapping[str, Any],
        state: Mapping[str, Any] | None,
    ) -> None:
        """facts: what light checkpoints shall say of this run besides what a tick tells.

        state: what `save` wrote, to go on from its history and best score.
        """
        self.folder, self.recipe, self.faces = folder, recipe, faces
        self.trainer, self.batches, self.total_kimg = trainer, batches, recipe.total_kimg
        self.judge, self.logger, self.facts = judge, logger, dict(facts)
        self.history: list[dict[str, Any]] = self.history_of(state) if state else []
        self.best: dict[str, Any] = json.loads(state["best"]) if state else {}
        self.saved_kimg = trainer.images / 1000 if state else None
        self.real_diversity = watch.real_diversity(faces)
        self.warned: list[str] = []
        self.bar = tqdm(
            total=round(self.total_kimg, 1),
            initial=trainer.images / 1000,
            unit="kimg",
            disable=None,
            leave=False,
            bar_format="{l_bar}{bar}| {n:.1f}/{total:.1f} kimg [{elapsed}<{remaining}{postfix}]",
        )
        if judge is not None and self.best and self.best.get("judge") != judge[0].identity:
            self._judge_best_anew(*judge)

    # --- at each tick ----------------------------------------------------------------------------

    def tick(self, tick: sg.Tick, state: dict[str, Any] | None) -> None:
        """Report one tick. state: the trainer's, where one is to be saved.

        Raises UserError at a collapse if the recipe says so, after everything is written.
        """
        row = self._row(tick)
        number, last = len(self.history) + 1, tick.images >= self.total_kimg * 1000
        if number % self.recipe.sample_ticks == 0 or number == 1 or last:
            self._picture(row["kimg"])
        if self.judge and (number % self.recipe.score_ticks == 0 or last):
            row |= self._score(*self.judge)
        self.history.append(row)
        self._print(row)
        self._write_light(trained.LATEST, row)
        if state is not None:
            self.save(state)
        self._log(row)
        self._warn(row)

    def save(self, state: dict[str, Any]) -> None:
        """Write everything that the run needs to go on."""
        whole = {
            "trainer": state,
            "batches": self.batches.state_dict(),
            "history": json.dumps(self.history),
            "best": json.dumps(self.best),
        }
        checkpoint.save_state(self.folder / STATE, whole)
        self.saved_kimg = self.trainer.images / 1000

    @staticmethod
    def history_of(state: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The ticks of a saved state."""
        found: list[dict[str, Any]] = json.loads(state["history"])
        return found

    def last_good(self) -> str:
        """Where an error leaves the run."""
        if self.saved_kimg is None:
            return "no state was saved before"
        return f"the last good state is {self.folder / STATE} ({self.saved_kimg:.1f} kimg)"

    def close(self) -> None:
        """End the bar and the logger."""
        self.bar.close()
        self.logger.close()

    def progress(self) -> None:
        """Move the progress bar to the trainer's count of images."""
        self.bar.update(self.trainer.images / 1000 - self.bar.n)

    # --- parts of a tick -------------------------------------------------------------------------

    def _row(self, tick: sg.Tick) -> dict[str, Any]:
        """The numbers of a tick as metrics.jsonl has them; what was not counted is left out."""
        numbers = asdict(tick)
        diversity = dict(zip(self.faces.names, numbers.pop("diversity"), strict=True))
        earlier = self.history[-1]["total_seconds"] if self.history else 0.0
        row = {
            "tick": len(self.history) + 1,
            "kimg": numbers.pop("images") / 1000,
            **numbers,
            "seconds_per_kimg": 1000 / tick.images_per_second,
            "total_seconds": earlier + tick.seconds,
            **{f"diversity_{name}": value for name, value in diversity.items()},
        }
        return {k: v for k, v in row.items() if not isinstance(v, float) or math.isfinite(v)}

    def _score(self, judge: Judge, real: Reference) -> dict[str, float]:
        """Ask the judge, and keep the weights if they are the best so far."""
        began = time.perf_counter()
        found = self._ask(judge, real, self.trainer.ema)
        numbers = {"distance": found.distance, "class_accuracy": found.accuracy}
        numbers |= {
            f"accuracy_{name}": value
            for name, value in zip(self.faces.names, found.by_class, strict=False)
        }
        self._keep_best(found, judge)
        numbers["score_seconds"] = time.perf_counter() - began
        return {name: value for name, value in numbers.items() if math.isfinite(value)}

    def _ask(self, judge: Judge, real: Reference, generator: sg.TwoStageGenerator) -> Score:
        return score.score(
            generator,
            self.faces.kinds,
            judge,
            real,
            per_class=self.recipe.score_per_class,
            dtype=self.trainer.options.dtype,
        )

    def _keep_best(self, found: Score, judge: Judge) -> None:
        best = self._rated(found, judge, self.trainer.images / 1000)
        if not self.best or best["value"] < self.best["value"]:
            self.best = best
            self._write_light(trained.BEST, best)

    def _rated(self, found: Score, judge: Judge, kimg: float) -> dict[str, Any]:
        """What is kept of the best weights; the smaller the value, the better."""
        accuracy = found.accuracy if math.isfinite(found.accuracy) else None
        by_accuracy = self.recipe.select == "accuracy" and accuracy is not None
        return {
            "value": -found.accuracy if by_accuracy else found.distance,
            "kimg": kimg,
            "distance": found.distance,
            "class_accuracy": accuracy,
            "judge": judge.identity,
        }

    def _judge_best_anew(self, judge: Judge, real: Reference) -> None:
        """Rate the best weights so far as this judge does: those of another do not compare."""
        file = self.folder / trained.BEST
        if not file.is_file():
            self.best = {}
            return
        network = trained.load(file, device=self.trainer.losses.device).network
        self.best = self._rated(self._ask(judge, real, network), judge, self.best["kimg"])
        _say(
            f"the best weights so far, of {self.best['kimg']:.1f} kimg, have distance "
            f"{self.best['distance']:.2f} in the eyes of {judge.name}"
        )

    def _write_light(self, name: str, scores: Mapping[str, Any]) -> None:
        trainer = self.trainer
        facts = {
            **self.facts,
            "classes": list(self.faces.names) if len(self.faces.kinds) > 1 else [],
            "res": int(self.faces.images.shape[-1]),
            "class_counts": self.faces.class_counts,
            "kimg": trainer.images / 1000,
            "augment_p": trainer.augment_p,
            **{k: v for k, v in scores.items() if k in ("distance", "class_accuracy")},
        }
        trained.save(self.folder / name, trainer.ema, trainer.discriminator, facts)

    def _picture(self, kimg: float) -> None:
        """One row a class of samples that always have the same seeds."""
        kinds = self.faces.kinds.repeat_interleave(COLUMNS, 0)
        seeds = list(range(COLUMNS)) * len(self.faces.kinds)
        images = sg.sample(self.trainer.ema, seeds, kinds, dtype=self.trainer.options.dtype)
        pixels = sg.to_uint8(images.float()).cpu().numpy()
        cells = pixels.reshape(len(self.faces.kinds), COLUMNS, *pixels.shape[1:])
        sheet = sheets.sheet(cells, rows=self.faces.names)
        sheets.save(sheet, self.folder / SAMPLES)
        sheets.save(sheet, self.folder / "samples" / f"{kimg:010.3f}_kimg.png")

    def _print(self, row: Mapping[str, Any]) -> None:
        self.progress()
        self.bar.set_postfix_str(f"{row['images_per_second']:.0f} img/s", refresh=False)
        _say(tick_line(row, self.total_kimg, self.faces.names))

    def _log(self, row: Mapping[str, Any]) -> None:
        """metrics.jsonl is written whole, so that a resumed run leaves no line twice."""
        text = "".join(json.dumps(one) + "\n" for one in self.history)
        write_whole(self.folder / HISTORY, lambda p: p.write_text(text, "utf-8"))
        numbers = {k: float(v) for k, v in row.items() if k not in ("tick", "kimg")}
        self.logger.log(int(row["tick"]), {"kimg": float(row["kimg"]), **numbers})

    def _warn(self, row: Mapping[str, Any]) -> None:
        """Say what looks wrong, each thing once until it is over; stop if the recipe says so."""
        recipe = self.recipe
        if row["kimg"] < recipe.collapse_from_kimg:
            return
        diversity = [row[f"diversity_{name}"] for name in self.faces.names]
        grave = watch.collapsed(
            diversity, self.real_diversity, self.faces.names, share=recipe.collapse_diversity
        )
        numbers = {"real_logit": 0.0, "fake_logit": 0.0, **row}
        grave += watch.running_away(numbers, limit=recipe.collapse_logit)
        found = grave + watch.at_cap(row["augment_p"], recipe.p_max)
        subjects = [line.split(":")[0].split(" (")[0] for line in found]
        for line, subject in zip(found, subjects, strict=True):
            if subject not in self.warned:
                _say(f"warning: {line}")
        self.warned = subjects
        if grave and recipe.stop_on_collapse:
            raise UserError(f"gan.stop_on_collapse=true: {grave[0]} (after {row['kimg']:.1f} kimg)")


def tick_line(row: Mapping[str, Any], total_kimg: float, names: Sequence[str]) -> str:
    """The numbers of a tick in one line for the terminal."""
    left = (total_kimg - row["kimg"]) * row["seconds_per_kimg"]
    spread = {name: row[f"diversity_{name}"] for name in names}
    least = min(spread, key=lambda name: spread[name])

    def known(name: str, digits: int, sign: str = "") -> str:
        return f"{row[name]:{sign}.{digits}f}" if name in row else "-"

    text = (
        f"{row['kimg']:8.1f} kimg {row['images_per_second']:6.1f} img/s "
        f"{row['seconds_per_kimg']:6.2f} s/kimg, left {_clock(left)}, p {row['augment_p']:.3f}, "
        f"loss G {known('loss_g', 2)} D {known('loss_d', 2)}, "
        f"logits {known('real_logit', 2, '+')} {known('fake_logit', 2, '+')}, "
        f"gradients {known('grad_norm_g', 2)} {known('grad_norm_d', 2)}, "
        f"diversity {spread[least]:.3f} ({least})"
    )
    if row["skipped_steps"]:
        text += f", {row['skipped_steps']} updates skipped"
    if "distance" in row:
        text += f", distance {row['distance']:.2f}"
    if "class_accuracy" in row:
        text += f", class accuracy {row['class_accuracy']:.3f}"
    return text


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(max(seconds, 0)), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def _say(line: str) -> None:
    """Print above the progress bar, at once where stdout is a file too."""
    tqdm.write(line)
    sys.stdout.flush()
