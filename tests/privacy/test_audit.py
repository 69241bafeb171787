"""The whole audit on made photographs: controls, copies of every kind, classes, verdicts."""

from dataclasses import replace

import numpy as np
import pytest

from ferbench.classes import CLASSES
from ferbench.privacy import audit, controls, numbers, report, tables, verdict
from ferbench.privacy.findings import Candidates, Controls, Options, Outcome
from ferbench.privacy.statistics import Bootstrap
from ferbench.report import markdown
from ferbench.report.audit import Context

OPTIONS = Options(
    near_correlation=0.95,
    quantile=0.01,
    alpha=0.001,
    bootstrap=20,
    control_images=200,
    percents=(3, 40),
)

NO_INTERVALS = Bootstrap(0, np.random.default_rng(0))


def audited(real, images, **changes):
    labels = np.arange(len(images)) % len(CLASSES)
    options = replace(OPTIONS, **changes)
    return audit.run(images, labels, real, options, seed=0, on_step=lambda text: None)


@pytest.fixture(scope="module")
def clean(real, strangers):
    return audited(real, strangers)


@pytest.fixture(scope="module")
def copied(real, strangers):
    """200 images, the first 40 of them copies: 20 plain, 20 cropped, all of one class."""
    images = strangers.copy()
    disgust = np.flatnonzero(real.members.labels == 1)
    images[:20] = real.members.images[disgust[:20]]
    images[20:40] = controls.cropped(real.members.images[disgust[20:40]], np.random.default_rng(0))
    return audited(real, images)


def test_a_set_of_strangers_passes(clean):
    assert (clean.flags, clean.unsound) == ([], [])
    assert verdict.level(clean) == "nothing found"
    assert (clean.identical, clean.near.sum()) == (0, 0)


def test_blends_of_training_images_are_a_leak(real):
    """Averages of twelve are copies of none, and still nearer to these than to strangers."""
    rng = np.random.default_rng(77)
    pool = real.members.images.astype(np.float64)
    mixed = np.stack([pool[rng.choice(len(pool), 12)].mean(axis=0) for _ in range(200)])
    mixed = 128 + (mixed - mixed.mean(axis=(1, 2), keepdims=True)) * np.sqrt(12)
    found = audited(real, mixed.round().clip(0, 255).astype(np.uint8))
    assert verdict.level(found) == "leak"
    assert found.near.sum() == 0
    assert {("membership", "pixels"), ("nearest is training", "pixels")} <= set(found.flags)
    assert "No image is a copy" in verdict.sentences(found)[0]


def test_copies_are_counted_and_flagged(copied):
    assert verdict.level(copied) == "copies"
    assert copied.identical == 20
    assert copied.near.sum() == 40
    assert copied.near[:40].all()
    assert ("near copies", "aligned pixels") in copied.flags
    assert ("standing out", "pixels") in copied.flags


def test_the_class_that_was_copied_is_told(copied):
    """40 of the 60 members of disgust are in the set: in their class the attack succeeds."""
    found = {one.name: one for one in copied.attacks if one.space == "gradients"}["membership"]
    assert found.classes[1].auc > 0.75
    assert found.class_p < 0.001
    others = [one.auc for k, one in enumerate(found.classes) if k != 1]
    assert max(others) < 0.7
    assert any("disgust" in sentence for sentence in verdict.sentences(copied))


def test_candidates_of_each_class_are_counted(clean):
    found = clean.attacks[0]
    assert sum(one.members for one in found.classes) == clean.members == 419
    assert [one.others for one in found.classes] == [39, 40, 40, 40, 40, 40, 38]


def test_a_class_with_few_candidates_has_no_attack(real):
    """19 held-out images of one class: no number is better than a bad one."""
    labels = Candidates(real.members.labels, np.repeat([0, 1], [19, 258]))
    scores = Candidates(np.zeros(419), np.zeros(277))
    found = audit.attack_by_class(("x", "y"), scores, labels, bootstrap=NO_INTERVALS)
    assert found.classes[0] is None
    assert found.classes[1].auc == 0.5


def test_the_negative_control_passes_and_the_positive_ones_fail(clean):
    control = clean.controls
    assert all(found.p >= 0.001 for found in control.negative.values())
    for variant in controls.VARIANTS:
        assert control.positive[variant][-1]["standing out", "pixels"].p < 0.001, variant


def test_detection_limits_are_named(clean):
    """One plain copy of 139 images is found, 0.72 %; the verdict says so."""
    assert clean.controls.images == 139
    assert clean.controls.levels == (1, 4, 56)
    assert np.isclose(clean.detection_limit("plain"), 100 / 139)
    assert clean.controls.limit("plain", 0.001, ("identical", "pixels")) == 1
    assert clean.controls.limit("cropped", 0.001, ("identical", "pixels")) is None
    assert "plain from 0.72 %" in " ".join(verdict.sentences(clean))


def test_a_limit_holds_from_there_on():
    """Flagged at 1, not at 4, flagged at 9: the limit is 9."""
    flag, pass_ = Outcome(1, 0, 1, None, 1e-9), Outcome(0, 0, 0, None, 1.0)
    key = ("a", "b")
    levels = tuple({key: one} for one in (flag, pass_, flag))
    control = Controls(100, {}, {key: pass_}, (1, 4, 9), {"plain": levels})
    assert control.limit("plain", 0.001) == 9
    unsound = replace(control, negative={key: flag})
    assert unsound.limit("plain", 0.001) is None
    assert unsound.limit("plain", 0.001, key) == 9


def test_a_test_that_fails_its_control_does_not_count(copied):
    """The verdict rests on the others, and says so."""
    flagged = Outcome(1, 0, 1, None, 1e-9)
    negative = {key: flagged for key in copied.outcomes}
    broken = replace(copied, controls=replace(copied.controls, negative=negative), attacks=())
    assert broken.flags == []
    assert any("negative control failed" in line for line in verdict.sentences(broken))


def test_networks_that_know_their_images_are_told_from_the_set(clean):
    """The set passes, the discriminator does not: to hold the file is what gives members away."""
    scores, key = Candidates(np.ones(419), np.zeros(277)), ("discriminator", "its score")
    known = audit.attack_by_class(key, scores, clean.candidates, bootstrap=NO_INTERVALS)
    found = replace(clean, attacks=[*clean.attacks, known])
    assert verdict.level(found) == "networks leak"
    text = " ".join(verdict.sentences(found))
    assert "No memorization was found among 200 images" in text
    assert "discriminator (its score)" in text
    assert "happy (by discriminator, its score)" in text


def test_passing_is_never_called_private(clean):
    text = " ".join(verdict.sentences(clean))
    assert "no proof of privacy" in text
    assert "is private" not in text


def test_copies_that_held_out_images_have_as_well_are_chance(real):
    """The set is made of held-out images: it is near to these, and gives no member away."""
    found = audited(real, real.held.images)
    assert found.portrait.held.correlation.min() > 0.99
    assert found.flags == []


def test_the_same_seed_gives_the_same_numbers(real, strangers, clean):
    again = audited(real, strangers)
    assert again.outcomes == clean.outcomes
    assert again.controls.positive == clean.controls.positive
    assert [one.overall for one in again.attacks] == [one.overall for one in clean.attacks]


def test_a_set_is_read_in_blocks(real, strangers, clean, monkeypatch):
    monkeypatch.setattr("ferbench.privacy.portrait.BLOCK", 37)
    again = audited(real, strangers)
    for key, found in clean.outcomes.items():
        assert np.isclose(again.outcomes[key].value, found.value, atol=1e-6), key


def test_the_judge_s_bias_is_its_own(clean):
    """Only the space that knows the members has one, measured on held-out images."""
    assert {space for _, space in clean.controls.bias} == {"judge"}
    found = {(one.name, one.space): one for one in clean.attacks}
    assert not found["membership", "judge"].decides
    assert found["membership", "pixels"].decides


def test_the_report_holds_every_test_and_no_path(copied):
    context = Context({"set": "x"}, [], "ferbench audit", ["a note"])
    blocks = report.blocks(copied, context)
    text = markdown("Audit", blocks)
    for test, space in copied.outcomes:
        assert f"| {test} | {space} |" in text.replace("\\", "")
    assert "| train_0" in text.replace("\\", "")  # training images by name
    assert "a note" in text


def test_the_pairs_are_the_nearest_ones(copied):
    lines = tables.pairs_table(copied).lines
    assert len(lines) == 20
    assert all(line[-1] == "copy" and line[3] == "disgust" for line in lines)


def test_the_row_sums_up(copied):
    row = numbers.row_columns(copied)
    assert (row["verdict"], row["identical_copies"], row["near_copies"]) == ("copies", 20, 40)
    assert row["membership_auc_low"] < row["membership_auc"] < row["membership_auc_high"]
    assert row["membership_auc_disgust"] > 0.75
    assert 0 < row["detection_limit"] < 0.5


def test_everything_is_plain_json(copied):
    import json

    text = json.dumps(numbers.as_json(copied), allow_nan=False)
    assert json.loads(text)["controls"]["planted"] == [1, 4, 56]
