"""From a recipe to networks, options and batches of the GAN's loop."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import made
from ferbench.gan import setup
from ferbench.gan.faces import GanFaces, prepare
from ferbench.gan.setup import Setting, Shards
from ferbench.recipes.gan import GanRecipe, GanSchedule

CPU = torch.device("cpu")
SMALL = {
    "res": 12,
    "z_dim": 8,
    "w_dim": 8,
    "channel_base": 64,
    "channel_max": 8,
    "batch": 8,
    "augment": "none",
}


def recipe_of(name: str, **changes: Any) -> GanRecipe:
    """conf/gan/NAME.yaml over fer48, with small networks."""
    return made.gan_recipe(name, **{**SMALL, **changes})


@pytest.fixture
def faces() -> GanFaces:
    images = np.random.default_rng(0).integers(0, 256, (70, 48, 48), dtype=np.uint8)
    labels = np.arange(70) % 14 % 7
    return prepare(images, labels, res=12, channels=1, conditional=True)


@pytest.fixture
def trainer_of(faces: GanFaces) -> Callable[..., Any]:
    def make(recipe: GanRecipe, *, seed: int = 0, precision: str = "fp32", shards: int = 1) -> Any:
        parts = Shards(shards, range(shards))
        return setup.trainer(recipe, faces, Setting(seed, precision, CPU), parts, start=None)

    return make


def test_a_seed_fixes_the_initial_weights(trainer_of: Callable[..., Any]) -> None:
    recipe = recipe_of("fer48")
    one, same, other = (trainer_of(recipe, seed=seed).generator.state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_every_shard_has_streams_of_its_own(trainer_of: Callable[..., Any]) -> None:
    streams = trainer_of(recipe_of("fer48", shards=2), shards=2).losses.streams
    first, second = (torch.randn(4, generator=one.latents) for one in streams)
    assert not torch.equal(first, second)


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [("fp32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)],
)
def test_the_precision_is_that_of_the_feature_maps(
    trainer_of: Callable[..., Any], precision: str, dtype: torch.dtype
) -> None:
    """Of the regularizers too, unless gan.regularizer_fp32 keeps those exact; weights stay."""
    options = setup.options(recipe_of("fer48"), Setting(0, precision, CPU))
    assert (options.dtype, options.regularizer_dtype) == (dtype, dtype)
    exact = setup.options(recipe_of("fer48", regularizer_fp32=True), Setting(0, precision, CPU))
    assert exact.regularizer_dtype == torch.float32
    network = trainer_of(recipe_of("fer48"), precision=precision).generator
    assert {weight.dtype for weight in network.parameters()} == {torch.float32}


def test_an_acgan_has_a_class_head_and_a_loss_for_it(trainer_of: Callable[..., Any]) -> None:
    """Seven class logits besides that of real or generated; the cGAN has neither."""
    ac, plain = trainer_of(recipe_of("acgan")), trainer_of(recipe_of("cgan"))
    assert (ac.options.aux_weight, plain.options.aux_weight) == (1.0, 0.0)
    logits, classes = ac.discriminator.with_classes(torch.zeros(2, 1, 12, 12))
    assert (logits.shape, classes.shape) == ((2,), (2, 7))
    assert not hasattr(plain.discriminator, "classes")


def test_label_smoothing_reaches_the_loop(trainer_of: Callable[..., Any]) -> None:
    assert trainer_of(recipe_of("fer48", label_smoothing=0.1)).options.label_smoothing == 0.1


@pytest.mark.parametrize(("how", "share"), [("natural", 0.04), ("balanced", 1 / 7)])
def test_class_sampling_decides_how_often_a_rare_class_is_shown(how: str, share: float) -> None:
    """One of 25 faces is disgust; 2,000 draws: standard deviation below 0.8 %."""
    labels = np.repeat(np.arange(7), [15, 1, 4, 1, 2, 1, 1])
    images = np.zeros((25, 48, 48), np.uint8)
    faces = prepare(images, labels, res=12, channels=1, conditional=True)
    recipe = recipe_of("fer48", class_sampling=how)
    batches = setup.real_batches(recipe, faces, Setting(0, "fp32", CPU))
    shown = torch.cat([next(batches)[1] for _ in range(250)])
    assert float(shown[:, 1].mean()) == pytest.approx(share, abs=0.025)


def test_a_schedule_of_kimg_is_one_of_images(faces: GanFaces) -> None:
    schedule = GanSchedule(lr=[[0, 1], [2, 0.5]], penalty=[], augment_p=[])
    recipe = recipe_of("fer48", schedule=schedule, loss="relativistic", r2_gamma=0.1)
    options = setup.options(recipe, Setting(0, "fp32", CPU))
    assert options.schedules.lr == ((0, 1), (2000, 0.5))
    assert (options.loss, options.r2_gamma, options.graphs) == ("relativistic", 0.1, None)
