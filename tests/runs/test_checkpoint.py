import contextlib
import os
import pickle

import pytest
import torch

from ferbench.errors import UserError
from ferbench.runs import checkpoint

FORM = "made state 1"


class Hostile:
    """Creates a file when it is unpickled by something that runs what it reads."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def state():
    return {
        "weights": {"a": torch.arange(6.0).view(2, 3), "n": torch.tensor(3)},
        "history": [{"loss": 0.5}, {"loss": float("-inf")}],
        "name": "x",
        "none": None,
    }


def test_a_disk_that_fails_when_flushed_leaves_the_old_file_alone(tmp_path, monkeypatch):
    checkpoint.save_state(tmp_path / "state.pt", state(), format_name=FORM)

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        checkpoint.save_state(tmp_path / "state.pt", {"other": 1}, format_name=FORM)
    assert checkpoint.load_state(tmp_path / "state.pt", format_name=FORM)["name"] == "x"
    assert [path.name for path in tmp_path.iterdir()] == ["state.pt"]


# --- weights -------------------------------------------------------------------------------------


def test_weights_come_back_with_names_types_and_values(tmp_path):
    weights = {
        "conv": torch.randn(2, 3, 3, 3).contiguous(memory_format=torch.channels_last),
        "count": torch.tensor(7),
        "half": torch.randn(3).bfloat16(),
    }
    checkpoint.save_weights(tmp_path / "w.safetensors", weights)
    found = checkpoint.load_weights(tmp_path / "w.safetensors")
    assert found.keys() == weights.keys()
    assert all(torch.equal(found[key], weights[key]) for key in weights)
    assert [found[key].dtype for key in weights] == [torch.float32, torch.int64, torch.bfloat16]


def test_absent_and_damaged_weights_are_refused(tmp_path):
    path = tmp_path / "w.safetensors"
    with pytest.raises(UserError, match="no such file"):
        checkpoint.load_weights(path)
    checkpoint.save_weights(path, {"a": torch.randn(100)})
    whole = path.read_bytes()
    for size in (0, 4, 40, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(UserError, match="not a whole safetensors file"):
            checkpoint.load_weights(path)


# --- states --------------------------------------------------------------------------------------


def test_a_state_comes_back(tmp_path):
    checkpoint.save_state(tmp_path / "state.pt", state(), format_name=FORM)
    found, want = checkpoint.load_state(tmp_path / "state.pt", format_name=FORM), state()
    assert torch.equal(found["weights"].pop("a"), want["weights"].pop("a"))
    assert found == want


@pytest.mark.parametrize("form", [None, 1, "made state 2", "made\nstate"])
def test_a_state_of_another_format_is_refused_in_one_line(tmp_path, form):
    """None: as states were before they said their format."""
    path = tmp_path / "state.pt"
    torch.save(state() if form is None else {"format": form, **state()}, path)
    with pytest.raises(UserError, match=r"expected 'made state 1'; move the file away") as caught:
        checkpoint.load_state(path, format_name=FORM)
    assert "\n" not in str(caught.value)
    assert checkpoint.load_plain(path)["name"] == "x"


@pytest.mark.parametrize("zipped", [True, False])
def test_a_hostile_pickle_is_refused_and_not_run(tmp_path, zipped):
    path, made = tmp_path / "state.pt", tmp_path / "made"
    if zipped:
        torch.save({"model": Hostile(made)}, path)
    else:
        path.write_bytes(pickle.dumps({"model": Hostile(made)}, protocol=2))
    with pytest.raises(UserError, match="not a state file"):
        checkpoint.load_state(path, format_name=FORM)
    assert not made.exists()
    with contextlib.suppress(RuntimeError):
        torch.load(path, weights_only=False)  # the same file does harm where it is trusted
    assert made.exists()


def test_a_truncated_state_is_refused_at_any_length(tmp_path):
    path = tmp_path / "state.pt"
    checkpoint.save_state(path, state(), format_name=FORM)
    whole = path.read_bytes()
    for size in (*range(0, len(whole), 97), len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(UserError, match=r"state\.pt: not a"):
            checkpoint.load_state(path, format_name=FORM)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_changed_byte_never_changes_what_is_read(tmp_path):
    """It is refused in one line, or lies between the archive's parts, where it changes nothing."""
    path, generator = tmp_path / "state.pt", torch.Generator().manual_seed(0)
    checkpoint.save_state(path, state(), format_name=FORM)
    whole = path.read_bytes()
    refusals = []
    for place in torch.randint(len(whole), (300,), generator=generator).tolist():
        bit = 1 << (place % 8)
        path.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
        try:
            found = checkpoint.load_state(path, format_name=FORM)
        except UserError as error:
            refusals.append(str(error))
        else:
            want = state()
            assert torch.equal(found["weights"].pop("a"), want["weights"].pop("a"))
            assert found == want
    assert len(refusals) > 150
    assert not [text for text in refusals if "\n" in text]


def test_a_flipped_bit_in_a_tensor_is_refused(tmp_path):
    path = tmp_path / "state.pt"
    checkpoint.save_state(path, {"a": torch.full((1000,), 0.5)}, format_name=FORM)
    whole = bytearray(path.read_bytes())
    whole[whole.index(bytes([0, 0, 0, 0x3F] * 10)) + 2003] ^= 1
    path.write_bytes(whole)
    with pytest.raises(UserError, match=r"not a whole state file \(bytes of .* have changed\)"):
        checkpoint.load_state(path, format_name=FORM)


def test_other_contents_and_absent_states_are_refused(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        checkpoint.load_state(tmp_path / "state.pt", format_name=FORM)
    torch.save(torch.zeros(3), tmp_path / "tensor.pt")
    with pytest.raises(UserError, match="it holds a Tensor"):
        checkpoint.load_state(tmp_path / "tensor.pt", format_name=FORM)
    with pytest.raises(UserError, match="not a"):
        checkpoint.load_state(tmp_path, format_name=FORM)
