import io
import os
import pickle
import pickletools
import random
import struct
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import torch

import stylegan2_ada
from stylegan2_ada import UnsafePickleError, load_official
from stylegan2_ada.safe_pickle import read_pickle

REFERENCE = Path(__file__).parents[1] / "reference"
FILE = REFERENCE / "official_layout.pkl"


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path, monkeypatch):
    """Code that a pickle runs would leave its mark here."""
    monkeypatch.chdir(tmp_path)
    yield
    assert not (tmp_path / "EMBEDDED_SOURCE_WAS_RUN").exists()
    assert not (tmp_path / "hacked").exists()


class Calls:
    """Pickles as a call of `function`."""

    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


def call(module: str, name: str, argument: bytes) -> bytes:
    """A pickle of {"G": module.name(argument)}."""
    named = f"c{module}\n{name}\n".encode()
    loaded = b"B" + struct.pack("<I", len(argument)) + argument
    return b"\x80\x03}X\x01\x00\x00\x00G" + named + loaded + b"\x85Rs."


def test_weights_are_those_of_the_published_networks():
    arrays = np.load(REFERENCE / "networks_cond_gray_32.npz", allow_pickle=False)
    networks = load_official(FILE)
    assert set(networks) == {"G", "D", "G_ema"}
    for name, prefix in (("G", "G/"), ("D", "D/"), ("G_ema", "G/")):
        state = networks[name].state_dict()
        assert set(state) == {key[2:] for key in arrays if key.startswith(prefix)}
        for key, value in state.items():
            np.testing.assert_array_equal(value.numpy(), arrays[prefix + key], strict=True)


def test_networks_are_whole_and_ready():
    arrays = np.load(REFERENCE / "networks_cond_gray_32.npz", allow_pickle=False)
    networks = load_official(str(FILE))
    z, c = torch.from_numpy(arrays["in/z"]), torch.from_numpy(arrays["in/c"])
    images = networks["G_ema"](z, c)
    reference = torch.from_numpy(arrays["out/img_noise_const"])
    assert (images - reference).norm() / reference.norm() < 1e-5
    assert not networks["G_ema"].training
    assert networks["D"].config.mbstd_group == 4
    images.sum().backward()
    assert networks["G_ema"].synthesis.b4.const.grad is not None


def test_older_files_name_the_older_numpy():
    def line(text: bytes) -> bytes:
        return b"\x8c" + bytes([len(text)]) + text  # SHORT_BINUNICODE

    new, old = line(b"numpy._core.multiarray"), line(b"numpy.core.multiarray")
    data = FILE.read_bytes()
    assert new in data
    content = read_pickle(_without_frames(data).replace(new, old))
    assert set(content) >= {"G", "D", "G_ema"}


def _without_frames(data: bytes) -> bytes:
    """Pickle frames only say how much to read ahead; without them bytes may be replaced."""
    spans = [at for op, _, at in pickletools.genops(data) if op.name == "FRAME"]
    pieces, start = [], 0
    for at in spans:
        pieces.append(data[start:at])
        start = at + 9
    return b"".join([*pieces, data[start:]])


@pytest.mark.parametrize(
    ("payload", "named"),
    [
        (Calls(os.system, "touch hacked"), f"{os.system.__module__}.system"),
        (Calls(eval, "open('hacked', 'w')"), "builtins.eval"),
        (Calls(exec, "open('hacked', 'w')"), "builtins.exec"),
        (Calls(getattr, 1, "real"), "builtins.getattr"),
        (Calls(open, "hacked", "w"), r"(_io|io)\.open"),
        (Calls(torch.load, "hacked"), "torch.serialization.load"),
        (Calls(stylegan2_ada.load_official, "hacked"), "stylegan2_ada.official.load_official"),
        (np.arange(3), "numpy.*_reconstruct"),
        (np.float32, "numpy.float32"),
    ],
)
@pytest.mark.parametrize("protocol", [2, 4])
def test_anything_unexpected_is_refused_by_name(payload, named, protocol):
    data = pickle.dumps({"G": payload}, protocol=protocol, fix_imports=False)
    with pytest.raises(UnsafePickleError, match=named):
        read_pickle(data)


def test_a_hostile_pickle_inside_a_tensor_is_refused():
    inner = pickle.dumps(Calls(os.system, "touch hacked"), protocol=2)
    with pytest.raises(UnsafePickleError, match="tensor"):
        read_pickle(call("torch.storage", "_load_from_bytes", inner))
    file = io.BytesIO()
    torch.save(Calls(os.system, "touch hacked"), file)
    with pytest.raises(UnsafePickleError, match="tensor"):
        read_pickle(call("torch.storage", "_load_from_bytes", file.getvalue()))


def test_a_tensor_larger_than_its_storage_is_refused():
    """A stride of 0 would turn four bytes into a tensor of 10^12 elements."""
    small = torch.zeros(1).expand(10**12)
    with pytest.raises(UnsafePickleError, match="size"):
        read_pickle(_plain(small))


def _plain(tensor: torch.Tensor) -> bytes:
    """{"G": tensor} by the plain pickler, as networks are published."""
    return pickle.dumps({"G": tensor}, protocol=4)


def test_tensors_of_every_layout_survive():
    base = torch.arange(12.0).reshape(3, 4)
    for tensor in (base, base.t(), base[1:, ::2], base.half(), base.long(), torch.zeros([])):
        assert torch.equal(read_pickle(_plain(tensor))["G"], tensor)


def test_values_of_objects_are_refused():
    class Code:
        def __reduce__(self):
            return np.dtype, ("O8", False, True)

    with pytest.raises(UnsafePickleError, match="O8"):
        read_pickle(pickle.dumps({"x": Code()}, protocol=4))


@pytest.mark.parametrize(
    "target", [b"cdnnlib.util\nEasyDict\n", b"ctorch.storage\n_load_from_bytes\n"]
)
def test_stand_ins_cannot_be_changed(target):
    """BUILD on a function or class would set its attributes for the next file."""
    slots = b"N}X\x06\x00\x00\x00updateK\x01s\x86"
    for state in (slots, b"}X\x01\x00\x00\x00aK\x01s"):
        with pytest.raises(ValueError, match="pickle"):
            read_pickle(b"\x80\x03" + target + state + b"b.")
    assert read_pickle(FILE.read_bytes())["training_set_kwargs"]["path"] == "fer.zip"


@pytest.mark.parametrize("kept", [0, 1, 100, 5000, 500_000])
def test_a_truncated_file_is_refused(tmp_path, kept):
    short = tmp_path / "short.pkl"
    short.write_bytes(FILE.read_bytes()[:kept])
    with pytest.raises(ValueError, match="not a readable network pickle"):
        load_official(short)


def test_damaged_bytes_give_one_kind_of_error():
    """Whatever bytes change, reading succeeds or raises ValueError: no other error, no crash."""
    whole = _plain(torch.arange(6.0).reshape(2, 3))
    draw = random.Random(0)
    refused = 0
    for _ in range(500):
        data = bytearray(whole)
        data[draw.randrange(len(data))] = draw.randrange(256)
        try:
            read_pickle(bytes(data))
        except ValueError:
            refused += 1
    assert 250 < refused < 500


def test_other_files_are_refused(tmp_path):
    file = tmp_path / "x.pkl"
    file.write_bytes(pickle.dumps([1, 2, 3]))
    with pytest.raises(ValueError, match="dictionary"):
        load_official(file)
    file.write_bytes(pickle.dumps({"weights": 3}))
    with pytest.raises(ValueError, match="none of G, D and G_ema"):
        load_official(file)
    with pytest.raises(ValueError, match="larger than 1000 bytes"):
        load_official(FILE, max_bytes=1000)
    with pytest.raises(FileNotFoundError):
        load_official(tmp_path / "absent.pkl")


def test_only_web_addresses_are_fetched(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_official(f"file://{FILE}")


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"img_resolution": 64}, "do not fit"),
        ({"img_resolution": 50}, "img_resolution=50"),
        ({"img_resolution": 2**60}, "img_resolution="),
        ({"img_resolution": "large"}, "not"),
        ({"z_dim": -1}, "z_dim=-1"),
        ({"mapping_kwargs": {"num_layers": 3}}, "do not fit"),
        ({"mapping_kwargs": {"activation": "tanh"}}, "activation='tanh'"),
        ({"synthesis_kwargs": {"magnitude_ema_beta": 1}}, "magnitude_ema_beta"),
    ],
)
def test_sizes_that_do_not_fit_are_named(kwargs, message):
    record = read_pickle(FILE.read_bytes())["G"]
    record.state["_init_kwargs"] = record.init_kwargs | kwargs
    with pytest.raises(ValueError, match=message):
        stylegan2_ada.official.generator(record)


def test_a_network_that_holds_itself_is_refused():
    record = read_pickle(FILE.read_bytes())["G"]
    record.state["_modules"]["again"] = record
    with pytest.raises(ValueError, match="do not fit"):
        stylegan2_ada.official.generator(record)


def test_fetched_over_http(tmp_path):
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(REFERENCE)))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/{FILE.name}"
        assert set(load_official(address)) == {"G", "D", "G_ema"}
        with pytest.raises(ValueError, match="larger"):
            load_official(address, max_bytes=1000)
    finally:
        server.shutdown()
        server.server_close()
