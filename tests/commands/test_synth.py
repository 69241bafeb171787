"""`ferbench synth` as a user meets it: sets, resuming, pictures, exports, and what is refused."""

import errno
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
from collections import namedtuple

import numpy as np
import pytest
import yaml

from ferbench import runs
from ferbench.classes import CLASSES
from ferbench.cli import arguments as overrides
from ferbench.commands import inputs, synth
from ferbench.data import synthetic_set
from ferbench.errors import UserError
from ferbench.gan import sampler
from ferbench.gan.sampler import Sampler
from ferbench.runs import Interrupted

COUNTS = dict(zip(CLASSES, (40, 5, 41, 72, 48, 32, 50), strict=True))
SMALL = ("device=cpu", "precision=fp32", "batch=8", "n=35", "center_latents=50")


@pytest.fixture
def gan(make_generator, tmp_path):
    """A trained-looking generator, in the folder of its run."""
    path = tmp_path / "run_a" / "best.safetensors"
    make_generator(path, class_counts=COUNTS, data="toy", kimg=3.0)
    return path.parent


@pytest.fixture
def draw(make_job, gan):
    """draw(override, ...): run the command on that generator; the newest set's folder."""

    def run(*words, source=gan):
        job = make_job("synth", *SMALL, f"gan.path={source}", *words)
        synth.run(job)
        return synthetic_set.newest(synth.Path(job.outputs))

    return run


def stop_at(monkeypatch, call, act):
    """Let `act` happen in the given call of Sampler.draw, before it draws."""
    calls, original = iter(range(1, 1000)), Sampler.draw

    def drawing(self, *arguments):
        if next(calls) == call:
            act()
        return original(self, *arguments)

    monkeypatch.setattr(Sampler, "draw", drawing)


def content(folder):
    names = ("images.npy", "labels.npy", "manifest.json")
    return {name: (folder / name).read_bytes() for name in names}


# --- the set -------------------------------------------------------------------------------------


def test_a_balanced_set_with_its_facts(draw, gan, capsys):
    folder = draw("psi=0.7", "seed=3")
    found = synthetic_set.read(folder)
    assert found.images.shape == (35, 48, 48)
    assert found.manifest["counts"] == dict.fromkeys(CLASSES, 5)
    np.testing.assert_array_equal(found.labels, np.arange(35) % 7)
    assert found.images.std() > 1
    facts = found.manifest
    assert facts["generator"]["sha256"] == inputs.sha256_of(gan / "best.safetensors")
    assert (facts["generator"]["data"], facts["generator"]["kimg"]) == ("toy", 3.0)
    assert facts["seeds"]["first"] == 3
    assert facts["truncation"] == {
        "psi": 0.7,
        "cutoff": None,
        "center": "class",
        "center_latents": 50,
    }
    assert "angry 5, disgust 5" in capsys.readouterr().out


def test_a_run_leaves_its_folder(draw, outputs):
    folder = draw()
    left = {path.name for path in folder.iterdir()} - {".lock"}
    sheets = {f"contact_{name}.png" for name in CLASSES}
    assert left == {"images.npy", "labels.npy", "manifest.json", "config.yaml", "run.json", *sheets}
    assert folder.parent == outputs / "synth"
    assert folder.name.startswith("run_a_n35_s0_")
    facts = runs.status_of(folder)
    assert (facts["status"], facts["command"], facts["row"]) == ("complete", "synth", None)
    assert facts["images_per_second"] > 0
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert (config["n"], config["gan"]["path"].endswith("run_a/best.safetensors")) == (35, True)


def test_image_i_does_not_depend_on_the_set(draw):
    """A set is the beginning of a larger one, and of one that starts later."""
    small = synthetic_set.read(draw())
    large = synthetic_set.read(draw("n=70", "batch=16"))
    later = synthetic_set.read(draw("seed=7"))
    off = np.abs(large.images[:35].astype(int) - small.images)
    assert off.max() <= 1
    assert np.abs(later.images[:28].astype(int) - small.images[7:]).max() <= 1


def test_without_n_there_are_as_many_as_the_generator_saw(draw):
    assert sum(synthetic_set.read(draw("n=null")).manifest["counts"].values()) == 288


def test_natural_and_given_counts(draw):
    natural = synthetic_set.read(draw("n=144", "balance=natural")).manifest["counts"]
    assert list(natural.values()) == [20, 3, 20, 36, 24, 16, 25]
    given = synthetic_set.read(draw("n=null", "counts='sad:9,happy:4'"))
    assert given.manifest["counts"] == dict.fromkeys(CLASSES, 0) | {"happy": 4, "sad": 9}
    assert not (given.root / "contact_fear.png").exists()


def test_the_newest_complete_run_is_taken(make_job, make_generator, outputs, capsys):
    for name, status, finished in (
        ("older", "complete", "2026-01-01"),
        ("newer", "complete", "2026-02-01"),
        ("under_way", "running", "2026-03-01"),
    ):
        folder = outputs / "train-gan" / name
        make_generator(folder / "best.safetensors", name=name)
        (folder / "run.json").write_text(json.dumps({"status": status, "finished": finished}))
    synth.run(make_job("synth", *SMALL))
    assert f"gan={outputs / 'train-gan' / 'newer'} (the newest" in capsys.readouterr().out
    manifest = synthetic_set.read(synthetic_set.newest(outputs)).manifest
    assert manifest["generator"]["name"] == "newer"


def test_other_sizes_are_said_aloud_and_resized_when_asked(draw, make_generator, tmp_path, capsys):
    source = make_generator(tmp_path / "g64.safetensors", res=64)
    folder = draw(source=source)
    assert synthetic_set.read(folder).images.shape == (35, 64, 64)
    line = "the images have 64 px; commands that compare them with real faces resize them to 48"
    assert line in capsys.readouterr().out
    resized = synthetic_set.read(draw("out_px=48", source=source))
    assert resized.images.shape == (35, 48, 48)
    assert resized.manifest["resized"] == {"from_px": 64, "method": "area"}


# --- doing it again, stopping, going on ----------------------------------------------------------


def test_a_second_time_is_skipped_and_force_draws_again(draw, monkeypatch, capsys):
    folder = draw()
    stop_at(monkeypatch, 1, lambda: pytest.fail("it drew again"))
    draw()
    assert f"done already: {folder}" in capsys.readouterr().out
    monkeypatch.undo()
    again = draw("force=true")
    assert again.name == f"{folder.name}-2"
    assert content(again) == content(folder)


def test_the_folder_depends_on_what_changes_the_set(draw, make_generator, tmp_path):
    same = {
        draw(),
        draw("export=zip"),
        draw("grid=true"),
        draw("n=null", "counts=" + repr(",".join(f"{name}:5" for name in CLASSES))),
    }
    assert len(same) == 1
    other = make_generator(tmp_path / "run_b" / "best.safetensors", kimg=4.0)
    changed = [
        draw("psi=0.5"),
        draw("seed=1"),
        draw("noise=const"),
        draw("batch=4"),
        draw(source=other),
    ]
    assert len({*same, *changed}) == 6


def test_sigterm_keeps_what_is_done(draw, outputs, monkeypatch):
    whole = draw("name=whole")
    stop_at(monkeypatch, 3, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Interrupted, match="after 24 images of 35, which are kept") as stopped:
        draw("name=parts")
    assert stopped.value.exit_status == 128 + signal.SIGTERM
    (parts,) = (outputs / "synth").glob("parts_*")
    assert runs.status_of(parts)["status"] == "interrupted"
    with pytest.raises(UserError, match="unfinished"):
        synthetic_set.read(parts)
    monkeypatch.undo()
    assert content(draw("name=parts")) == content(whole)


KILLED = """
import os, signal, sys
from ferbench import cli
from ferbench.gan import sampler
from ferbench.gan.sampler import Sampler
sampler.SAFE_SECONDS = 0.0
draw, calls = Sampler.draw, iter(range(1, 100))
def drawing(self, *arguments):
    if next(calls) == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return draw(self, *arguments)
Sampler.draw = drawing
sys.argv = ["ferbench", *sys.argv[1:]]
cli.main()
"""


def test_a_killed_run_goes_on_to_the_same_bytes(draw, gan, outputs, capsys):
    """SIGKILL in the fourth of five batches."""
    words = ["synth", *SMALL, f"gan={gan}", f"outputs={outputs}", "name=parts"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    killed = subprocess.run([sys.executable, "-c", KILLED, *words], env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    (parts,) = (outputs / "synth").glob("parts_*")
    assert not (parts / "manifest.json").exists()
    assert draw("name=parts") == parts
    assert "going on after 24 images" in capsys.readouterr().out
    assert content(parts) == content(draw("name=whole"))
    assert not (parts / "progress.json").exists()


def test_a_full_disk_is_seen_before_anything_is_written(draw, outputs, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, 2**24 + 1000))
    with pytest.raises(UserError, match=r"n=35: needs 17 MB below .*, 17 MB are free"):
        draw()
    assert not (outputs / "synth").exists()


def test_a_disk_that_fills_up_leaves_no_set(draw, outputs, monkeypatch):
    def full():
        raise OSError(errno.ENOSPC, "No space left on device")

    stop_at(monkeypatch, 3, full)
    with pytest.raises(UserError, match=r"the disk is full; .* the same command goes on"):
        draw()
    with pytest.raises(UserError, match="no synthetic set here"):
        synthetic_set.newest(outputs)


# --- pictures and exports ------------------------------------------------------------------------


def test_pictures_and_exports_of_a_set_that_is_there(draw, capsys):
    folder = draw()
    draw(
        "grid=true",
        "interpolate='happy,sad'",
        "style_mix=true",
        "truncation_sheet=true",
        "export=zip",
    )
    draw("export=folder")
    printed = capsys.readouterr().out
    for name in (
        "grid.png",
        "interpolation_happy_sad.png",
        "interpolation_happy_sad.gif",
        "style_mix.png",
        "truncation_class.png",
        "truncation_global.png",
        "png.zip",
    ):
        assert (folder / name).is_file(), name
        assert f"wrote {folder / name}" in printed
    assert len(list((folder / "png" / "train" / "fear").glob("fear_*.png"))) == 5


def test_a_generator_without_classes_is_for_looking_at(draw, make_generator, tmp_path):
    source = make_generator(tmp_path / "rgb.safetensors", classes=(), channels=3)
    with pytest.raises(UserError, match=r"trained without classes; expected angry, .*labels=own"):
        draw(source=source)
    folder = draw("labels=own", "n=5", "export=folder", "grid=true", source=source)
    assert len(list((folder / "png" / "train" / "image").iterdir())) == 5
    assert (folder / "contact_image.png").is_file()
    with pytest.raises(UserError, match=r"its classes are \['image'\]; expected"):
        synthetic_set.read(folder)


def test_other_classes_are_for_looking_at(draw, make_generator, tmp_path):
    source = make_generator(tmp_path / "pets.safetensors", classes=("cat", "dog"))
    with pytest.raises(UserError, match="its classes are cat, dog; expected angry"):
        draw(source=source)
    folder = draw("labels=own", "n=null", "counts='dog:3'", source=source)
    assert synthetic_set.np.load(folder / "labels.npy").tolist() == [1, 1, 1]


# --- what is refused -----------------------------------------------------------------------------


def refused(draw, match, *words, **source):
    with pytest.raises(UserError, match=match):
        draw(*words, **source)


def test_sources_without_a_generator_are_refused(draw, make_job, outputs, tmp_path):
    (tmp_path / "empty").mkdir()
    refused(draw, "holds no generator", source=tmp_path / "empty")
    refused(draw, "^gan=.*absent: no such file or folder", source=tmp_path / "absent")
    assert not (outputs / "synth").exists()


def test_a_truncated_checkpoint_is_refused(draw, gan):
    path = gan / "best.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    refused(draw, "not a whole safetensors file")


def test_a_hostile_pickle_is_refused_and_not_run(draw, tmp_path):
    class Hostile:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "pwned"),))

    source = tmp_path / "hostile.pkl"
    source.write_bytes(pickle.dumps({"G_ema": Hostile()}))
    refused(draw, "mkdir", source=source)
    source.write_bytes(pickle.dumps({"G_ema": 1})[:-3])
    refused(draw, "hostile.pkl", source=source)
    assert not (tmp_path / "pwned").exists()


def test_another_order_of_classes_is_refused(draw, make_generator, tmp_path):
    source = make_generator(tmp_path / "g.safetensors", classes=tuple(reversed(CLASSES)))
    refused(draw, r"its classes are \['neutral'.*expected \['angry'", source=source)


@pytest.mark.parametrize("names", [("../../etc", "b"), ("a/b", "c"), (".hidden", "b"), ("a", "a")])
def test_classes_that_are_no_names_of_files_are_refused(draw, make_generator, tmp_path, names):
    source = make_generator(tmp_path / "g.safetensors", classes=names)
    refused(draw, "cannot be names of files", "labels=own", source=source)


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"class_counts": {"cat": 3}},
        {"class_counts": [1]},
        {"class_counts": dict.fromkeys(CLASSES, "x")},
        {"class_counts": dict.fromkeys(CLASSES, 0)},
    ],
)
def test_a_generator_that_does_not_say_what_it_saw(draw, make_generator, tmp_path, facts):
    source = make_generator(tmp_path / "g.safetensors", **facts)
    refused(draw, r"n=null balance=equal: .* does not say", "n=null", source=source)
    refused(draw, r"n=35 balance=natural: .* does not say", "balance=natural", source=source)
    assert len(synthetic_set.read(draw(source=source))) == 35


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["n=6"], "n=6: below the number of classes; expected at least 7"),
        (["n=0"], "n=0: expected at least 1"),
        (["psi=1.1"], r"psi=1.1: expected a value from 0 to 1"),
        (["psi=-0.1"], r"psi=-0.1: expected a value from 0 to 1"),
        (["psi=nan"], r"psi=nan: expected a value from 0 to 1"),
        (["cutoff=11"], "cutoff=11: this generator has 10 style layers"),
        (["cutoff=-1"], "cutoff=-1: expected at least 0"),
        (["center=clas"], "center=clas: unknown; did you mean class"),
        (["noise=random"], "noise=random: unknown"),
        (["balance=even"], "balance=even: unknown"),
        (["labels=yes"], "labels=yes: unknown"),
        (["export=tar"], "export=tar: unknown"),
        (["resize=nearest"], "resize=nearest: unknown"),
        (["batch=0"], "batch=0: expected at least 1"),
        (["out_px=4"], "out_px=4: expected at least 8"),
        (["seed=-1"], "seed=-1: expected at least 0"),
        (["name=a/b"], "name=a/b: expected letters"),
        (["counts='angry:3'"], "n=35: counts says how many; expected one of the two"),
        (["n=null", "counts='angri:3'"], "no class 'angri'; did you mean angry"),
        (["interpolate='happy'"], "interpolate=happy: expected two seeds"),
        (["precision=fp16"], "precision=fp16: needs a CUDA device"),
    ],
)
def test_bad_values_are_refused_before_anything_is_written(draw, outputs, words, match):
    refused(draw, match, *words)
    assert not (outputs / "synth").exists()


def test_a_damaged_network_is_refused_and_leaves_no_set(draw, outputs, monkeypatch):
    monkeypatch.setattr(sampler.sg, "sample", lambda *a, **k: synth_nan())
    refused(draw, "not finite in fp32")
    with pytest.raises(UserError, match="no synthetic set here"):
        synthetic_set.newest(outputs)


def synth_nan():
    return sampler.torch.full((8, 1, 48, 48), float("nan"))


# --- the command line ----------------------------------------------------------------------------


def test_gan_is_a_path_and_no_option_of_the_group(tmp_path):
    """conf/gan/ holds the presets of train-gan; Hydra would look for one of that name."""
    assert overrides.for_hydra("synth", ["gan=a,b (1).pkl"]) == ["gan.path='a,b (1).pkl'"]
    assert overrides.for_hydra("synth", ["+gan=fer48"]) == ["gan.path='fer48'"]
    assert overrides.for_hydra("synth", ["-m", "gan=a,b"]) == ["--multirun", "gan.path=a,b"]
    assert overrides.for_hydra("train-gan", ["gan=fer48"]) == ["gan=fer48"]


def test_lists_are_taken_as_they_stand():
    words = ["counts=angry:1,happy:2", "interpolate=happy,sad"]
    assert overrides.for_hydra("synth", words) == [
        "counts='angry:1,happy:2'",
        "interpolate='happy,sad'",
    ]
