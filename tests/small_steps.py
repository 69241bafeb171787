"""Small training steps: what tests of steps that are captured, or could be, have in common."""

import numpy as np
import torch
import yaml

from ferbench.classifiers import batches
from ferbench.classifiers.batches import DeviceFaces
from ferbench.classifiers.learner import Learner
from ferbench.classifiers.stepping import TrainStep
from ferbench.config.yaml_files import CONF
from ferbench.models import NetworkOptions, build
from ferbench.models.catalog import MODELS, Own
from ferbench.recipes.classifier import Augment, Recipe
from ferbench.runs.precision import Precision

STILL = Augment(
    flip=0, rotate_degrees=0, zoom=0, shift=0, shear_degrees=0, brightness=0, contrast=0, erase=0
)
# Every option of the loop that changes what a step does.
OPTIONS = {
    "adamw": {"optimizer": "adamw"},
    "sgd": {"optimizer": "sgd"},
    "sgd without momentum": {"optimizer": "sgd", "momentum": 0},
    "muon": {"optimizer": "muon"},
    "neither averaged nor clipped nor smoothed": {
        "ema_decay": 0,
        "clip_norm": 0,
        "label_smoothing": 0,
    },
    "accumulated": {"accumulate": 2},
    "one cycle, balanced": {"schedule": "one_cycle", "sampling": "balanced"},
    "class weights": {"class_weights": "inverse"},
    "mixup": {"mixup": 0.2},
    "cutmix": {"cutmix": 1.0},
    "both": {"mixup": 0.2, "cutmix": 1.0, "class_weights": "sqrt_inverse"},
    "not augmented": {"augment": STILL},
}


def make_recipe(**changes):
    """conf/train/default.yaml with batches of 12 and little more than that."""
    values = yaml.safe_load((CONF / "train/default.yaml").read_text())
    small = {"epochs": 3, "batch": 12, "warmup_epochs": 0.5, "peak_lr": 0.01}
    return Recipe(**{**values, "augment": Augment(**values["augment"]), **small, **changes})


def make_faces(n=48, *, device="cpu", soft=False):
    """Noise with a bright bar whose height tells the class; soft: with a teacher's targets."""
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 7
    images = rng.integers(0, 120, (n, 48, 48), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[6 * label + 2 : 6 * label + 7] += 100
    faces = batches.to_device(images, labels, torch.device(device))
    targets = torch.from_numpy(rng.dirichlet(np.ones(7), n)).half().to(device) if soft else None
    return DeviceFaces(faces.images, faces.labels, targets=targets)


def small_network(name="cnn", *, width=4):
    """A network of the catalog for faces of 32 px, the same one every time."""
    own = isinstance(MODELS[name], Own)
    options = NetworkOptions(
        name,
        stem="small" if own else "standard",
        input_px=32,
        pretrained="none",
        tune="all",
        dropout=0.3,
        width=width if own else None,
    )
    torch.manual_seed(0)
    return build(options, classes=7)


def make_step(recipe, faces, model, *, precision="fp32"):
    """A step that may be captured, and the parts of an epoch's batches."""
    device = faces.images.device
    chosen = Precision(precision, device.type)
    learner = Learner(model.to(device), faces.labels, recipe, chosen, capturable=True)
    drawn = batches.draw_epoch(faces, recipe, seed=0, epoch=0)
    steps = batches.steps_per_epoch(len(faces), recipe.batch)
    parts = [drawn.part(number) for number in range(steps)]
    return TrainStep(learner, faces, recipe.augment), parts
