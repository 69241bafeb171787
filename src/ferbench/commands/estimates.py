"""How long commands will take here: their work, times what this machine takes for a part of it.

Measured on noise in a few steps and kept below outputs/cache/speed; see `runs.calibration`. What is
not counted: reading, pictures and reports, which take seconds.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ferbench.classifiers import speed as classifier_speed
from ferbench.commands import generators, inputs
from ferbench.config.commands import Classify, Prepare
from ferbench.config.curate import Curate
from ferbench.config.data import DataConfig
from ferbench.config.synth import Synth
from ferbench.config.train_gan import TrainGan
from ferbench.data import face_set, synthetic_set
from ferbench.data.toy import faces as toy_faces
from ferbench.gan import speed as gan_speed
from ferbench.gan import trained
from ferbench.models import NetworkOptions
from ferbench.recipes.gan import GanRecipe
from ferbench.runs import Compute
from ferbench.runs.calibration import Calibration

RELEASE = {"train": 28_709, "public": 3_589, "private": 3_589}  # images of FER2013
VIEWS = {"none": 1, "flip": 2, "ten_crop": 10}
GATE_IMAGES = 7000  # of a set, that a judge looks at
JUDGE = NetworkOptions("cnn", "small", 48, "none", "all", 0.3, 32)  # what a judge mostly is
OWN_SECONDS = 3.0  # of a run, for reading and pictures
NEWEST_GAN, NEWEST_SET = "newest gan", "newest set"
TOY_SAMPLE = 64  # faces that are rendered to see how long one takes


@dataclass(frozen=True)
class Estimator:
    """Estimates from the machine's speed, below `outputs`.

    earlier: the configs of steps that come first, by the word that stands for their folder, as
    "@set"; NEWEST_GAN and NEWEST_SET for commands that take the newest one.
    """

    outputs: Path
    speeds: Calibration
    earlier: Mapping[str, Any]

    @staticmethod
    def of(job: Any, *, may_measure: bool, earlier: Mapping[str, Any] | None = None) -> Estimator:
        """For runs with device, precision and outputs of this job.

        may_measure: whether a speed that is not known yet is measured.
        """
        outputs = Path(job.outputs)
        compute = Compute.choose(job.device, getattr(job, "precision", "auto"))
        speeds = Calibration(outputs / "cache" / "speed", compute, may_measure)
        return Estimator(outputs, speeds, earlier or {})

    def seconds(self, job: Any) -> float | None:
        """What the run of a config may take; None for what is unknown.

        Raises UserError for what the run itself would refuse.
        """
        estimate = _ESTIMATES.get(type(job))
        if estimate is None:
            return None
        try:
            return estimate(self, job) + OWN_SECONDS
        except _UnknownError:
            return None

    # --- the machine's speed -----------------------------------------------------------------

    def _measured(
        self, kind: str, what: Mapping[str, Any], name: str, measure: Callable[[], float]
    ) -> float:
        seconds = self.speeds.seconds({"work": kind, "network": dict(what)}, name, measure)
        if seconds is None:
            raise _UnknownError
        return seconds

    def learning(self, job: Classify) -> float:
        """Seconds of an image in a classifier's training."""
        recipe, options = job.train, NetworkOptions(**asdict(job.model))
        keys = ("batch", "accumulate", "optimizer", "compile")
        what = {
            **_network_key(options),
            "tune": options.tune,
            "train": {key: getattr(recipe, key) for key in keys},
            "averaged": recipe.ema_decay > 0,
        }
        measure = lambda: classifier_speed.training(options, recipe, self.speeds.compute)  # noqa: E731
        return self._measured("training", what, _name(options), measure)

    def predicting(self, options: NetworkOptions) -> float:
        """Seconds of a view of an image in a classifier's prediction."""
        measure = lambda: classifier_speed.prediction(options, self.speeds.compute)  # noqa: E731
        return self._measured(
            "prediction", _network_key(options), f"{_name(options)}, predicting", measure
        )

    def adversarial(self, recipe: GanRecipe) -> float:
        """Seconds of a real image in a GAN's training."""
        free = ("name", "total_kimg", "lr", "tick_kimg", "class_sampling", "scalar_label")
        what = {key: value for key, value in asdict(recipe).items() if key not in free}
        measure = lambda: gan_speed.training(recipe, self.speeds.compute)  # noqa: E731
        return self._measured("gan", what, f"gan={recipe.name} at {recipe.res} px", measure)

    def drawing(self, source: Path | str | GanRecipe) -> float:
        """Seconds of a sample of a recipe's generator, or of one that is there."""
        if isinstance(source, GanRecipe):
            network, name = gan_speed.network_of(source), f"gan={source.name} at {source.res} px"
        else:
            network = trained.load(source, device=self.speeds.compute.device).network
            name = f"gan={source}"
        what = network.config.to_dict()
        classes = 1 if what.pop("c_dim") == 0 else 7  # how many matters little
        measure = lambda: gan_speed.drawing(network, self.speeds.compute, classes=classes)  # noqa: E731
        return self._measured("drawing", what, f"{name}, drawing", measure)

    # --- commands ----------------------------------------------------------------------------

    def _classify(self, job: Classify) -> float:
        faces = _faces(job.data, self.outputs)
        images = self._training_images(job.data, faces)
        steps = max(int(images) // job.train.batch, 1) * min(job.train.batch, images)
        scored = math.ceil(job.train.epochs / job.train.score_epochs) * faces["public"]
        tested = sum(faces[part] for part in ("private", "public")[: _parts(job.eval.split)])
        look = self.predicting(NetworkOptions(**asdict(job.model)))
        seconds = job.train.epochs * steps * self.learning(job)
        seconds += (scored + tested * VIEWS[job.eval.tta]) * look
        rounds = job.train.epochs if job.data.synthetic.online else 1
        if job.data.taught:
            seconds += rounds * images * 2 * self.predicting(JUDGE)
        if job.data.synthetic.online:
            seconds += rounds * images * self.drawing(self._source(job.data.synthetic.generator))
        return seconds

    def _training_images(self, data: DataConfig, faces: Mapping[str, int]) -> float:
        """How many images a classifier learns from."""
        train = faces["train"] * (data.real_limit or 1)
        if data.name == "mixed":
            return train if data.mix.how == "replace" else train * (1 + data.mix.amount)
        if data.name != "synthetic":
            return train
        if data.synthetic.limit is not None:
            return data.synthetic.limit
        return train if data.synthetic.online else self._images_of(data.synthetic.folder)

    def _train_gan(self, job: TrainGan) -> float:
        recipe = recipe_of(job)
        shown = recipe.total_kimg * 1000
        seconds = shown * self.adversarial(recipe)
        if job.judge != "none":
            scores = shown / (recipe.tick_kimg * 1000 * recipe.score_ticks) + 1
            drawn = scores * 7 * recipe.score_per_class
            seconds += drawn * (self.drawing(recipe) + self.predicting(JUDGE))
        return seconds

    def _synth(self, job: Synth) -> float:
        judged = 0 if job.judge == "none" else min(_drawn(job), GATE_IMAGES)
        each = self.drawing(self._source(job.gan.path))
        return _drawn(job) * each + judged * self.predicting(JUDGE)

    def _curate(self, job: Curate) -> float:
        """Two views of the pool and of the real faces, and a third more for copies and clusters."""
        pool = (job.n or 0) * job.pool_per_image if job.gan.path else self._images_of(job.set)
        drawn = pool * self.drawing(self._source(job.gan.path)) if job.gan.path else 0.0
        looked_at = 2 * pool + _faces(job.data, self.outputs)["train"] + GATE_IMAGES
        return drawn + 4 / 3 * looked_at * self.predicting(JUDGE)

    def _prepare(self, job: Prepare) -> float:
        """Of toy faces; others are read in seconds to a minute."""
        if job.source != "toy":
            raise _UnknownError
        cores = os.cpu_count() or 1
        each = self._measured("toy", {}, "drawing toy faces", _toy_seconds)
        return sum(job.data.toy.size[:3]) * each / cores

    def _images_of(self, folder: str | None) -> float:
        """Images of a set: of the step that makes it, or as its manifest says."""
        made = self.earlier.get(folder or NEWEST_SET)
        if isinstance(made, Synth):
            return _drawn(made)
        if isinstance(made, Curate):
            return made.n or self._images_of(made.set)
        root = Path(folder) if folder else synthetic_set.newest(self.outputs)
        return sum(synthetic_set.read_manifest(root)["counts"].values())

    def _source(self, gan: str | None) -> Path | str | GanRecipe:
        """The generator of a step that trains it, or one that is there."""
        step = self.earlier.get(gan or NEWEST_GAN)
        if isinstance(step, TrainGan):
            return recipe_of(step)
        complete = generators.complete_runs(self.outputs)
        return gan or (complete[-1] if complete else generators.SHIPPED)


class _UnknownError(Exception):
    """Not measured yet, and not to be measured now; or nothing that can be."""


def recipe_of(job: TrainGan) -> GanRecipe:
    """The preset with the sizes asked for."""
    return replace(
        job.gan, res=job.res or job.gan.res, total_kimg=job.total_kimg or job.gan.total_kimg
    )


_ESTIMATES: dict[type, Callable[[Estimator, Any], float]] = {
    Classify: Estimator._classify,
    TrainGan: Estimator._train_gan,
    Synth: Estimator._synth,
    Curate: Estimator._curate,
    Prepare: Estimator._prepare,
}


def _network_key(options: NetworkOptions) -> dict[str, Any]:
    """What the speed of a network depends on."""
    keys = ("name", "stem", "input_px", "width")
    return {key: getattr(options, key) for key in keys}


def _name(options: NetworkOptions) -> str:
    width = f" of width {options.width}" if options.width is not None else ""
    return f"{options.name}{width}, {options.input_px} px, {options.stem} stem"


def _drawn(job: Synth) -> int:
    """Images that are drawn; as many as FER2013's Training split where nothing says how many."""
    if job.counts is not None:
        return sum(int(part.rpartition(":")[2] or 0) for part in job.counts.split(","))
    return job.n or RELEASE["train"]


def _parts(split: str) -> int:
    return 2 if split == "kaggle" else 1


def _faces(data: Any, outputs: Path) -> dict[str, int]:
    """Images of each split, as prepared; those of the release, or of the config, before that."""
    kind = data.faces if isinstance(data, DataConfig) else data.name
    if kind == "toy":
        return dict(zip(RELEASE, data.toy.size[:3], strict=True))
    folder = Path(data.folder or outputs / "data" / inputs.FOLDERS[kind])
    if not (folder / face_set.MANIFEST).exists():
        return RELEASE
    counts = face_set.read_manifest(folder)["counts"]
    return {split: sum(of.values()) for split, of in counts.items()}


def _toy_seconds() -> float:
    began = time.perf_counter()
    toy_faces.sample_faces(TOY_SAMPLE, 0)
    return (time.perf_counter() - began) / TOY_SAMPLE
