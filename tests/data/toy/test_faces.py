import os
import signal
import subprocess
import sys
import time
from dataclasses import fields, replace
from pathlib import Path

import joblib
import numpy as np
import pytest

from ferbench.classes import CLASSES, SPLITS
from ferbench.data.toy import action_units
from ferbench.data.toy import faces as toy_faces
from ferbench.data.toy.action_units import ACTION_UNITS, PROTOTYPES, vector
from ferbench.data.toy.faces import sample_faces, sample_parameters, split_seed, toy_splits
from ferbench.data.toy.parameters import (
    AVERAGE_IDENTITY,
    IDENTITY_RANGES,
    OCCLUDERS,
    STUDIO,
    VIEW_SPREAD,
    FaceParameters,
    Identity,
    sample_identity,
    sample_view,
)
from ferbench.data.toy.pose import project, unproject
from ferbench.data.toy.render import draw
from ferbench.data.toy.shapes import SAMPLES, curve

TRAIN, TEST = 2100, 700


@pytest.fixture(scope="module")
def splits():
    return toy_splits(TRAIN, 0, TEST, seed=7)


def in_studio(intensities, *, who=AVERAGE_IDENTITY, **view):
    units = tuple(vector(intensities).tolist())
    return draw(FaceParameters(who, replace(STUDIO, **view), units)).astype(float)


def units_of(label, count=400):
    rng = np.random.default_rng(label)
    return np.stack([action_units.sample(label, rng) for _ in range(count)])


# ---- the set


def test_same_seed_same_bytes_and_another_seed_other_bytes():
    first, again, other = sample_faces(14, 3), sample_faces(14, 3), sample_faces(14, 4)
    assert first.images.tobytes() == again.images.tobytes()
    assert first.action_units.tobytes() == again.action_units.tobytes()
    assert not (first.images == other.images).all(axis=(1, 2)).any()


def test_an_image_depends_on_seed_and_index_alone(monkeypatch):
    """Neither n, nor the chunks, nor the number of processes changes an image."""
    many = sample_faces(30, 5)
    monkeypatch.setattr(toy_faces, "CHUNK", 4)
    few, shared = sample_faces(11, 5), sample_faces(30, 5, workers=2)
    np.testing.assert_array_equal(few.images, many.images[:11])
    np.testing.assert_array_equal(shared.images, many.images)
    np.testing.assert_array_equal(shared.action_units, many.action_units)
    np.testing.assert_array_equal(draw(sample_parameters(5, 29)), many.images[29])


def test_a_worker_of_a_launcher_draws_by_itself():
    """joblib's workers cannot start the usual processes; two of them give the same faces."""
    drawn = joblib.Parallel(n_jobs=2)(
        joblib.delayed(sample_faces)(600, 5, workers=2) for _ in range(2)
    )
    np.testing.assert_array_equal(drawn[0].images, drawn[1].images)


def test_drawing_does_not_depend_on_what_was_drawn_before():
    faces = [sample_parameters(1, index) for index in range(6)]
    forward = [draw(face) for face in faces]
    backward = [draw(face) for face in reversed(faces)]
    np.testing.assert_array_equal(forward, backward[::-1])


@pytest.mark.parametrize("n", [0, 1, 6, 7, 16])
def test_classes_are_balanced_and_in_a_fixed_order(n):
    faces = sample_faces(n, 0, prefix="toy_train")
    counts = np.bincount(faces.labels, minlength=len(CLASSES))
    assert counts.max() - counts.min() <= 1
    np.testing.assert_array_equal(faces.labels, np.arange(n) % 7)
    assert faces.names.tolist() == [f"toy_train_{i:06d}" for i in range(n)]


def test_splits_share_no_image_and_no_person(splits):
    assert tuple(splits) == SPLITS
    assert [len(splits[split]) for split in SPLITS] == [TRAIN, 0, TEST]
    images = np.concatenate([splits[split].images for split in SPLITS])
    assert len(np.unique(images.reshape(len(images), -1), axis=0)) == TRAIN + TEST
    people = {
        sample_parameters(split_seed(7, split), index).identity
        for split in SPLITS
        for index in range(100)
    }
    assert len(people) == 300


def test_split_seeds_differ_over_splits_and_seeds():
    seeds = {split_seed(seed, split) for seed in range(50) for split in SPLITS}
    assert len(seeds) == 150


def test_images_use_the_range_of_grays(splits):
    """No black, white or flat image: contrast is at least 0.05 of the range everywhere."""
    images = splits["train"].images.astype(float) / 255
    assert images.std(axis=(1, 2)).min() > 0.05
    assert 0.35 < images.mean() < 0.6
    assert 0.12 < images.std(axis=(1, 2)).mean() < 0.3


def test_a_linear_model_on_pixels_is_below_three_quarters(splits):
    """Ridge regression on one-hot targets; better than chance (1/7), or nothing is to be learnt."""
    x, x_test = (splits[s].images.reshape(-1, 48 * 48) / 255 for s in ("train", "private"))
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    x, x_test = (x - mean) / deviation, (x_test - mean) / deviation
    targets = np.eye(7)[splits["train"].labels]
    gram, accuracies = x @ x.T, []
    for alpha in (100.0, 1000.0, 10000.0):
        dual = np.linalg.solve(gram + alpha * np.eye(len(x)), targets - targets.mean(axis=0))
        predicted = (x_test @ (x.T @ dual)).argmax(axis=1)
        accuracies.append((predicted == splits["private"].labels).mean())
    assert 0.25 < max(accuracies) < 0.75, accuracies


# ---- processes

RENDER_FOR_LONG = """
import signal
from ferbench.data.toy.faces import sample_faces
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # shells ignore it in the background
    sample_faces(100_000, 0, workers=2)
"""


def descendants(pid):
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [int(child) for child in found]


def runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")")[-1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc to see processes")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_worker_outlives_the_parent(tmp_path, ending):
    script = tmp_path / "render.py"
    script.write_text(RENDER_FOR_LONG)
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen([sys.executable, str(script)], env=env, stderr=subprocess.DEVNULL)
    children = []
    try:
        deadline = time.monotonic() + 60
        while len(children) < 3 and time.monotonic() < deadline:  # two workers and a tracker
            time.sleep(0.05)
            children = descendants(parent.pid)
        assert len(children) >= 3
        time.sleep(1.0)  # into the rendering
        parent.send_signal(ending)
        assert parent.wait(timeout=60) != 0
        while any(map(runs, children)) and time.monotonic() < deadline + 60:
            time.sleep(0.05)
        assert not any(map(runs, children))
    finally:
        parent.kill()
        parent.wait()


# ---- action units


def test_action_units_of_the_set_are_the_parameters(splits):
    units = splits["private"].action_units
    assert units.shape == (TEST, len(ACTION_UNITS))
    assert units.dtype == np.float32
    assert units.min() == 0.0
    assert 0.9 < units.max() <= 1.0
    seed = split_seed(7, "private")
    np.testing.assert_array_equal(units[50], np.float32(sample_parameters(seed, 50).action_units))


def test_action_units_are_those_of_the_issue():
    assert ACTION_UNITS == (1, 2, 4, 5, 6, 7, 9, 12, 15, 16, 20, 23, 26)


@pytest.mark.parametrize("name", CLASSES)
def test_expressions_show_their_prototype(name):
    """Every AU of the prototype is clearly on; of the others none is on in the mean, all vary."""
    units = units_of(CLASSES.index(name))
    core = np.isin(ACTION_UNITS, PROTOTYPES[name])
    assert (units[:, core].mean(axis=0) > 0.5).all()
    assert (units[:, ~core].mean(axis=0) < 0.3).all()
    assert (units.std(axis=0) > 0.03).all()
    assert units.min() >= 0
    assert units.max() <= 1


def test_happy_pulls_the_lip_corners_up_and_sad_pulls_them_down():
    up, down = ACTION_UNITS.index(12), ACTION_UNITS.index(15)
    happy, sad = units_of(CLASSES.index("happy")).mean(0), units_of(CLASSES.index("sad")).mean(0)
    assert happy[up] > 0.5 > 0.1 > happy[down]
    assert sad[down] > 0.5 > 0.1 > sad[up]


def test_vector_places_units_and_refuses_what_is_not_drawn():
    assert vector({12: 0.5})[ACTION_UNITS.index(12)] == 0.5
    assert vector({12: 0.5}).sum() == 0.5
    with pytest.raises(ValueError, match="AU3=1"):
        vector({3: 1})
    with pytest.raises(ValueError, match=r"AU12=1\.5"):
        vector({12: 1.5})


# Rows of the studio's average face: brows at 13, eyes at 18, nose at 22 to 30, mouth at 36.
ROWS = {
    1: (5, 15),
    2: (8, 15),
    4: (10, 19),
    5: (12, 21),
    6: (15, 34),
    7: (14, 23),
    9: (10, 43),
    12: (22, 40),
    15: (32, 44),
    16: (33, 46),
    20: (32, 43),
    23: (32, 44),
    26: (32, 48),
}


@pytest.mark.parametrize("unit", ACTION_UNITS)
def test_each_unit_moves_its_own_part_of_the_face(unit):
    """At least 90 % of the squared change lies in the rows where the muscle acts."""
    change = in_studio({unit: 1.0}) - in_studio({})
    top, bottom = ROWS[unit]
    assert (change[top:bottom] ** 2).sum() > 0.9 * (change**2).sum()
    assert np.abs(change).mean() > 1.0
    assert np.abs(change).max() > 40


@pytest.mark.parametrize("unit", ACTION_UNITS)
def test_a_stronger_unit_changes_more(unit):
    rest = in_studio({})
    changes = [((in_studio({unit: i}) - rest) ** 2).sum() for i in (0.25, 0.5, 1.0)]
    assert 0 < changes[0] < changes[1] < changes[2]


def test_outer_brow_raise_acts_further_out_than_inner():
    columns = np.abs(np.arange(48) - 23.5)
    inner, outer = (((in_studio({unit: 1.0}) - in_studio({})) ** 2).sum(axis=0) for unit in (1, 2))
    assert (outer * columns).sum() / outer.sum() > (inner * columns).sum() / inner.sum() + 1.5


def test_jaw_drop_opens_a_dark_mouth():
    """The middle of the mouth, rows 38 and 39, is under a third as bright as at rest."""
    rest, dropped = in_studio({}), in_studio({26: 1.0})
    assert dropped[38:40, 22:26].mean() < rest[38:40, 22:26].mean() / 3


def test_upper_lid_raise_shows_white_above_the_iris():
    """At rest the lid's edge is in row 16 above the iris; AU7 leaves less contrast in the eye."""
    rest, wide, tight = in_studio({}), in_studio({5: 1.0}), in_studio({7: 1.0})
    eye = np.s_[14:21, 10:21]
    assert wide[16, 14:17].mean() > rest[16, 14:17].mean() + 50
    assert wide[eye].std() > rest[eye].std() > tight[eye].std()


# ---- identity, view, drawing


def test_average_face_is_symmetric():
    """No asymmetry, light from the front, hair parted in the middle: only catchlights differ."""
    face = in_studio({12: 0.8, 4: 0.5}, background=0.5)[5:46, 8:40]
    assert np.abs(face - face[:, ::-1]).mean() < 5


def test_people_and_photographs_stay_in_their_ranges():
    rng = np.random.default_rng(0)
    for _ in range(200):
        who, view = sample_identity(rng), sample_view(rng)
        for name, (low, high) in IDENTITY_RANGES.items():
            assert low <= getattr(who, name) <= high
        for name, (mean, _, most) in VIEW_SPREAD.items():
            assert abs(getattr(view, name) - mean) <= most + 1e-9
        assert view.occluder in OCCLUDERS
    assert sum(OCCLUDERS.values()) == pytest.approx(1.0)


@pytest.mark.parametrize("trait", [field.name for field in fields(Identity)])
def test_every_trait_shows(trait):
    """Both ends of a trait's range give other images, of a smile that parts lips and folds skin."""
    low, high = (replace(AVERAGE_IDENTITY, **{trait: end}) for end in IDENTITY_RANGES[trait])
    smile = {6: 0.6, 12: 0.8, 26: 0.3}
    images = [in_studio(smile, who=who, light_azimuth=-0.6) for who in (low, high)]
    assert np.abs(images[0] - images[1]).max() > 12


@pytest.mark.parametrize("name", VIEW_SPREAD)
def test_every_part_of_the_view_shows(name):
    mean, deviation, most = VIEW_SPREAD[name]
    low, high = (in_studio({}, **{name: mean + end}) for end in (-deviation, most))
    assert np.abs(low - high).max() > 10


@pytest.mark.parametrize("occluder", [name for name in OCCLUDERS if name != "none"])
def test_every_occluder_hides_a_part_but_not_all(occluder):
    """More than 2 % and less than half of the pixels change by more than 12 gray levels."""
    change = np.abs(in_studio({}, occluder=occluder, detail_seed=3) - in_studio({}, detail_seed=3))
    assert 0.02 < (change > 12).mean() < 0.5


def test_unproject_inverts_project():
    """Every pixel over the face goes to the face frame and back to within 0.3 pixels."""
    view = replace(STUDIO, roll=0.25, yaw=0.2, pitch=-0.12, scale=0.95, shift_x=2.0)
    x, y = unproject(AVERAGE_IDENTITY, view)
    points = np.stack([x, y], axis=-1).reshape(-1, 2).astype(float)
    back = project(points, np.zeros(len(points)), AVERAGE_IDENTITY, view).reshape(48, 48, 2)
    columns, rows = np.meshgrid(np.arange(48) + 0.5, np.arange(48) + 0.5)
    inside = (x / 14) ** 2 + (y / 20) ** 2 < 1
    assert inside.sum() > 500
    assert np.abs(back[..., 0] - columns)[inside].max() < 0.3
    assert np.abs(back[..., 1] - rows)[inside].max() < 0.3


def test_curve_goes_through_its_control_points():
    """A Catmull-Rom spline interpolates; on collinear, equidistant points it is the line."""
    controls = [(0.0, 0.0), (1.0, 2.0), (3.0, 1.0), (4.0, 4.0)]
    np.testing.assert_allclose(curve(controls)[::SAMPLES], controls, atol=1e-12)
    np.testing.assert_allclose(curve(controls, closed=True)[::SAMPLES], controls, atol=1e-12)
    line = curve([(0.0, 1.0), (1.0, 3.0), (2.0, 5.0), (3.0, 7.0)])
    np.testing.assert_allclose(line[:, 1], 2 * line[:, 0] + 1, atol=1e-12)


def test_data_import_needs_numpy_and_pillow_alone():
    """Rendering starts without torch, sklearn or matplotlib."""
    code = (
        "import sys, ferbench.data.toy.faces as t; t.sample_faces(1, 0);"
        "print([m for m in ('torch', 'sklearn', 'matplotlib', 'scipy') if m in sys.modules])"
    )
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
