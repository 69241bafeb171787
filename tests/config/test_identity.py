"""What a run is known by: no key is forgotten, and just those that change a result count."""

from dataclasses import dataclass, is_dataclass, replace
from typing import get_type_hints

import pytest

import made
from ferbench.config.commands import COMMANDS
from ferbench.config.identity import identity, marks
from ferbench.recipes.marks import CONTENT, NEUTRAL, RESULT, Content, Neutral, Result

WITHOUT_A_RESULT = ("prepare", "study", "table", "demo")  # they make no run of their own
RUNS = [COMMANDS[name] for name in COMMANDS if name not in WITHOUT_A_RESULT]


def sections(schema: type) -> list[type]:
    """The dataclass and those inside it."""
    inner = [kind for kind in get_type_hints(schema).values() if is_dataclass(kind)]
    return [schema, *(one for section in inner for one in sections(section))]


@pytest.mark.parametrize("schema", RUNS, ids=lambda schema: schema.__name__)
def test_every_key_says_what_it_does_to_a_result(schema: type) -> None:
    """A new key without a mark would leave runs apart that are the same, or take two for one."""
    for section in sections(schema):
        unmarked = [key for key, mark in marks(section).items() if mark is None]
        assert not unmarked, f"{section.__name__}: expected Result, Content or Neutral"
        assert set(marks(section).values()) <= {RESULT, CONTENT, NEUTRAL}


@dataclass(frozen=True)
class Inner:
    """A section."""

    weight: Result[float]
    path: Content[str | None]

    @property
    def off(self) -> bool:
        """Without weight it does nothing."""
        return self.weight == 0


@dataclass(frozen=True)
class Outer:
    """A command."""

    outputs: Neutral[str]
    seed: Result[int]
    limit: Result[float | None]
    inner: Result[Inner]
    beside: Neutral[Inner]


def test_the_identity_has_the_keys_that_change_a_result_and_no_others() -> None:
    inner = Inner(0.5, "somewhere")
    outer = Outer("outputs", 0, None, inner, inner)
    assert identity(outer) == {"seed": 0, "inner": {"weight": 0.5}}
    assert identity(replace(outer, outputs="x", inner=Inner(0.5, "y"))) == identity(outer)
    assert identity(replace(outer, limit=0.0))["limit"] == 0.0
    assert identity(replace(outer, inner=Inner(0, "somewhere"))) == {"seed": 0}


@pytest.mark.parametrize(
    ("command", "same", "other"),
    [
        ("classify", "name=x outputs=o force=true logger=none", "seed=1"),
        (
            "classify",
            "logger.project=x device=cpu train.name=x train.graphs=false",
            "train.augment.flip=0",
        ),
        ("train-gan", "total_kimg=3 judge=none name=x", "gan.lr=0.1"),
        ("train-gan", "gan.score_ticks=3 gan.select=accuracy device=cpu", "gan.reuse_fakes=true"),
        ("synth", "gan.path=x n=7 judge=none grid=true export=zip", "psi=0.5"),
        ("fidelity", "set=x judge=y batch=7 device=cpu", "map=none"),
        ("audit", "set=x gan.path=none batch=7", "inversion.images=50"),
        ("audit-data", "batch=7 device=cpu force=true train.graphs=false", "zoom=true"),
        (
            "audit-data label_noise=none",
            "seed=3 model=resnet18 train=sgd label_noise.bootstrap=99 show_real=true",
            "zoom=true",
        ),
        ("bias", "set=x attributes=y.csv name=x", "quantiles=3"),
        ("curate", "set=x gate_judge=y short=refuse batch=7", "confidence=0.9"),
        ("evaluate run=r", "run=x device=cpu", "eval.tta=none"),
    ],
)
def test_what_a_command_s_runs_are_known_by(command: str, same: str, other: str) -> None:
    name, *words = command.split()
    plain = identity(made.job(name, *words))
    assert identity(made.job(name, *words, *same.split())) == plain
    assert identity(made.job(name, *words, other)) != plain
