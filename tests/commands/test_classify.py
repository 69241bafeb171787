import json
import os
import signal
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from ferbench import results
from ferbench.classes import CLASSES
from ferbench.classifiers import training
from ferbench.classifiers.memory import training_bytes
from ferbench.commands import classify, classify_inputs, evaluate
from ferbench.config.commands import Classify
from ferbench.config.identity import identity
from ferbench.config.store import read_config
from ferbench.errors import UserError
from ferbench.files import sha256_of
from ferbench.models import NetworkOptions, build
from ferbench.results.rows import ClassifierRow
from ferbench.runs import Compute, Interrupted, memory
from ferbench.runs.checkpoint import load_weights, save_weights
from ferbench.runs.precision import Precision

SMALL = (
    "model.width=4",
    "train.epochs=2",
    "train.batch=16",
    "train.warmup_epochs=0",
    "logger=none",
    "train.ema_decay=0.5",
    "device=cpu",
    "precision=fp32",
)


def runs_in(outputs, command="classify"):
    return sorted(path for path in (outputs / command).iterdir())


def table_rows(outputs):
    return results.read(outputs, ClassifierRow)


@pytest.fixture
def run_before(finished):
    """The folder of a complete run of these settings."""
    return finished("classify", *SMALL)


def test_the_device_that_is_chosen_counts_and_not_how(make_job, run_before, monkeypatch, capsys):
    """Where auto takes the CPU, it is the run that device=cpu made; another kind is another run."""
    monkeypatch.setattr("ferbench.runs.compute.resolve_device", lambda wanted: torch.device("cpu"))
    assert classify.run(make_job("classify", *SMALL, "device=auto")) == run_before
    assert f"done already: {run_before}" in capsys.readouterr().out
    job = make_job("classify", *SMALL, "device=auto")
    job, read = classify_inputs.open_all(job, Compute.choose("cpu", "fp32"))
    one, other = (
        classify.run_of(job, read, Compute(torch.device(device), Precision("fp32", device)))
        for device in ("cpu", "cuda")
    )
    assert one.folder == run_before and other.folder != run_before
    assert one.cell != other.cell
    second = classify.run_of(job, read, Compute(torch.device("cuda:1"), Precision("fp32", "cuda")))
    assert second.folder == other.folder


def test_every_epoch_is_a_line_with_the_time_left(outputs, make_job, capsys):
    classify.run(make_job("classify", *SMALL))
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch ")]
    assert [line.partition(":")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"]
    assert all("accuracy on held-out faces 0." in line and ", left 0:" in line for line in lines)


def test_a_run_leaves_its_folder_and_one_row(outputs, make_job, classifier_figures):
    classify.run(make_job("classify", *SMALL, "name=first"))
    (folder,) = runs_in(outputs)
    left = {path.name for path in folder.iterdir()}
    assert left >= {
        "config.yaml",
        "run.json",
        "metrics.jsonl",
        "model.safetensors",
        "predictions.npz",
        "confusion.png",
        "per_class.png",
        "reliability.png",
        "learning_curves.png",
    }
    assert "state.pt" not in left
    (row,) = table_rows(outputs)
    assert row.run == f"classify/{folder.name}"
    assert (row.data, row.test_data, row.test_split) == ("real", "fer2013", "private")
    assert (row.train_images, row.n_test, row.n_test_dedup, row.seed) == (140, 70, 69, 0)
    assert json.loads((folder / "run.json").read_text())["status"] == "complete"


def test_the_row_is_what_the_predictions_say(outputs, run_before):
    (row,) = table_rows(outputs)
    saved = np.load(run_before / "predictions.npz", allow_pickle=False)
    hits = saved["logits"].argmax(1) == saved["labels"]
    assert row.accuracy == hits.mean()
    assert row.accuracy_dedup == hits[saved["clean"]].mean()
    assert tuple(saved["classes"]) == CLASSES


def test_a_second_run_is_skipped_and_force_runs_it_again(outputs, make_job, run_before, capsys):
    classify.run(make_job("classify", *SMALL))
    assert "done already" in capsys.readouterr().out
    assert len(table_rows(outputs)) == 1
    classify.run(make_job("classify", *SMALL, "force=true"))
    first, second = table_rows(outputs)
    assert second.run == f"{first.run}-2"
    assert (first.cell, first.config_hash) == (second.cell, second.config_hash)
    assert first.accuracy == second.accuracy


def test_a_lost_table_comes_back_from_a_skipped_run(outputs, make_job, run_before):
    rows = table_rows(outputs)
    (outputs / "metrics.csv").unlink()
    classify.run(make_job("classify", *SMALL))
    assert table_rows(outputs) == rows


def test_seeds_share_a_cell_and_other_settings_do_not(outputs, make_job):
    for change in ("seed=1", "seed=2", "train.batch=20"):
        classify.run(make_job("classify", *SMALL, change))
    first, second, other = table_rows(outputs)
    assert first.cell == second.cell != other.cell
    assert first.config_hash != second.config_hash


def test_logger_name_and_outputs_do_not_change_the_cell(outputs, make_job):
    plain = identity(make_job("classify", *SMALL))
    named = identity(make_job("classify", *SMALL, "name=x", "logger=tensorboard"))
    assert plain == named


def test_stopped_and_resumed_equals_uninterrupted(outputs, make_job, run_before, monkeypatch):
    """SIGTERM after 11 of 16 steps; the same command goes on and ends in the same weights."""
    wanted = load_weights(run_before / "model.safetensors")

    steps = iter(range(1, 100))
    real_step = training._Loop._step

    def step(self, batch):
        if next(steps) == 11:
            os.kill(os.getpid(), signal.SIGTERM)
        return real_step(self, batch)

    monkeypatch.setattr(training._Loop, "_step", step)
    with pytest.raises(Interrupted, match="resume=") as stopped:
        classify.run(make_job("classify", *SMALL, "name=parts"))
    assert stopped.value.exit_status == 143
    parts = next(path for path in runs_in(outputs) if path.name.startswith("parts"))
    assert json.loads((parts / "run.json").read_text())["status"] == "interrupted"
    classify.run(make_job("classify", *SMALL, "name=parts"))
    got = load_weights(parts / "model.safetensors")
    assert all((got[name] == wanted[name]).all() for name in wanted)
    lines = (parts / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2]


def test_graphs_that_a_device_lacks_are_refused_before_a_folder_is_made(outputs, make_job):
    job = make_job("classify", *SMALL, "device=cpu", "train.graphs=true")
    with pytest.raises(UserError, match=r"train\.graphs=true: needs a CUDA device; .* on cpu"):
        classify.run(job)
    assert not (outputs / "classify").exists()


def test_changed_data_are_refused_when_resuming(outputs, make_job, change_inputs, monkeypatch):
    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "fit", stop)
    job = make_job("classify", *SMALL)
    with pytest.raises(KeyboardInterrupt):
        classify.run(job)
    (folder,) = runs_in(outputs)
    change_inputs(folder, train="other")
    with pytest.raises(UserError, match=f"resume={folder}: the data have changed"):
        classify.run(replace(job, resume=str(folder)))


def edit_config(folder, old, new):
    path = folder / "config.yaml"
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def test_an_edited_config_of_a_finished_run_is_noticed(outputs, make_job, run_before, capsys):
    """Its weights are not of that network; another name and other paths change nothing."""
    edit_config(run_before, "project: ", "project: mine # ")
    evaluate.run(make_job("evaluate", f"run={run_before}", "device=cpu"))
    edit_config(run_before, "label_smoothing: ", "label_smoothing: 0.25 # ")
    with pytest.raises(UserError, match=r"config\.yaml: was edited since the run began"):
        evaluate.run(make_job("evaluate", f"run={run_before}", "device=cpu"))
    capsys.readouterr()
    assert classify.run(make_job("classify", *SMALL)) == run_before
    assert f"note: {run_before / 'config.yaml'}: was edited" in capsys.readouterr().out
    (run_before / "config.yaml").write_text("model: {name: cnn")
    with pytest.raises(UserError, match=r"config\.yaml: damaged, not YAML \(while parsing"):
        evaluate.run(make_job("evaluate", f"run={run_before}", "device=cpu"))


def test_a_stopped_run_does_not_go_on_with_an_edited_config(outputs, make_job, monkeypatch):
    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training, "fit", stop)
        with pytest.raises(KeyboardInterrupt):
            classify.run(make_job("classify", *SMALL))
    (folder,) = runs_in(outputs)
    edit_config(folder, "label_smoothing: ", "label_smoothing: 0.25 # ")
    job = read_config(Classify, folder / "config.yaml")
    with pytest.raises(UserError, match="was edited since the run began"):
        classify.run(replace(job, resume=str(folder)))


def test_a_failure_is_recorded_and_leaves_no_row(outputs, make_job, monkeypatch):
    def fail(*args, **kwargs):
        raise FloatingPointError("the loss is nan at epoch 1, step 3")

    monkeypatch.setattr(training, "fit", fail)
    with pytest.raises(FloatingPointError):
        classify.run(make_job("classify", *SMALL))
    (failed,) = results.failed_runs(outputs)
    assert (failed.status, failed.command) == ("failed", "classify")
    assert "the loss is nan at epoch 1, step 3" in failed.error
    assert table_rows(outputs) == []


def test_without_fer2013_one_line_says_how_to_get_it(tmp_path, make_job):
    with pytest.raises(UserError, match=r"prepare source=.*data=toy works without it"):
        classify.run(make_job("classify", *SMALL, f"outputs={tmp_path / 'empty'}"))


def test_evaluate_scores_another_split_with_the_same_weights(outputs, make_job, run_before, capsys):
    evaluate.run(make_job("evaluate", f"run={run_before}", "eval.split=kaggle", "device=cpu"))
    first, again = table_rows(outputs)
    assert (again.command, again.test_split, again.n_test) == ("evaluate", "kaggle", 140)
    assert (again.model, again.seed, again.cell) == (first.model, first.seed, first.cell)
    evaluate.run(make_job("evaluate", f"run={run_before}", "eval.split=kaggle", "device=cpu"))
    assert "done already" in capsys.readouterr().out
    assert len(table_rows(outputs)) == 2


def test_evaluate_repeats_the_run_exactly(outputs, make_job, run_before):
    evaluate.run(make_job("evaluate", f"run={run_before}", "device=cpu", "precision=fp32"))
    (scored,) = runs_in(outputs, "evaluate")
    one, two = (np.load(path / "predictions.npz") for path in (run_before, scored))
    np.testing.assert_array_equal(one["logits"], two["logits"])


def test_evaluate_knows_a_run_by_its_weights(outputs, make_job, run_before):
    """A folder of the same name with other weights is scored anew."""
    words = ("evaluate", f"run={run_before}", "device=cpu")
    first = evaluate.run(make_job(*words))
    path, facts = run_before / "model.safetensors", run_before / "run.json"
    save_weights(path, {k: 2 * v for k, v in load_weights(path).items()})
    with pytest.raises(UserError, match="damaged, not the bytes that the run wrote"):
        evaluate.run(make_job(*words))
    other = json.loads(facts.read_text()) | {"weights_sha256": sha256_of(path)}
    facts.write_text(json.dumps(other))
    assert evaluate.run(make_job(*words)) != first
    assert len(table_rows(outputs)) == 3


def test_evaluate_refuses_what_is_no_complete_run(tmp_path, make_job):
    with pytest.raises(UserError, match="expected the folder of a complete run"):
        evaluate.run(make_job("evaluate", f"run={tmp_path}"))


def test_a_training_that_does_not_fit_into_memory_is_refused_before_it(
    outputs, make_job, monkeypatch, capsys
):
    """One line names the key; where it may just fit, the run begins with a note."""
    needed = []

    def check(bytes_needed, device, key):
        needed.append(bytes_needed)
        unpatched(bytes_needed, device, key)

    unpatched = memory.check
    monkeypatch.setattr(memory, "check", check)
    monkeypatch.setattr(memory, "available", lambda device: 1 << 20)
    with pytest.raises(UserError, match=r"^train\.batch=16: the training needs about 0\.\d GiB"):
        classify.run(make_job("classify", *SMALL))
    assert not (outputs / "classify").exists()
    monkeypatch.setattr(memory, "available", lambda device: needed[0] / 1.2)
    classify.run(make_job("classify", *SMALL))
    assert "note: train.batch=16: the training may need" in capsys.readouterr().out
    assert needed[0] == needed[1]


def test_the_estimate_grows_with_the_batch_and_the_network(make_job):
    def estimate(*words):
        job = make_job("classify", *SMALL, *words)
        model = build(NetworkOptions(**asdict(job.model)), classes=7)
        how = Precision("fp32", "cpu")
        return training_bytes(model, job.train, how, images=2000, device=torch.device("cpu"))

    small = estimate("train.batch=512")
    assert estimate("train.batch=1024") > 1.3 * small
    assert estimate("train.batch=512", "model.width=32") > 1.5 * small
    assert estimate("train.batch=4096") == estimate("train.batch=2000")  # there are no more faces
