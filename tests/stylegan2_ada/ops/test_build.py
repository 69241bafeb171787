"""The choice between kernel and plain PyTorch, and that the kernels compile."""

import logging
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest
import torch

from stylegan2_ada import ops
from stylegan2_ada.ops import build

CUDA, CPU = torch.device("cuda"), torch.device("cpu")


@pytest.fixture
def _no_kernels(monkeypatch):
    """As on a machine whose kernels do not build."""
    monkeypatch.setattr(build, "_build", lambda: "nvcc is broken\nand this is the second line")
    build._log_fallback.cache_clear()
    yield
    build._log_fallback.cache_clear()
    build.set_impl("auto")


def test_cpu_tensors_take_the_reference():
    assert not build.use_kernel("auto", CPU)
    assert not build.use_kernel("ref", CPU)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: ops.bias_act(x, impl="cuda"),
        lambda x: ops.upfirdn2d(x, None, impl="cuda"),
        lambda x: ops.conv2d_resample(x, torch.ones(1, 1, 3, 3), up=2, impl="cuda"),
    ],
)
def test_cuda_is_refused_on_the_cpu(call):
    with pytest.raises(RuntimeError, match="needs a CUDA tensor"):
        call(torch.zeros(1, 1, 4, 4))


def test_unknown_words_are_refused():
    with pytest.raises(ValueError, match="fast"):
        ops.bias_act(torch.zeros(1, 1), impl="fast")
    with pytest.raises(ValueError, match="fast"):
        ops.set_impl("fast")


@pytest.mark.usefixtures("_no_kernels")
def test_fallback_is_logged_once(caplog):
    with caplog.at_level(logging.INFO, logger="stylegan2_ada"):
        assert [build.use_kernel("auto", CUDA) for _ in range(3)] == [False] * 3
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage().endswith("nvcc is broken")


@pytest.mark.usefixtures("_no_kernels")
def test_cuda_without_kernels_says_why():
    with pytest.raises(RuntimeError, match="second line"):
        build.use_kernel("cuda", CUDA)
    with pytest.raises(RuntimeError, match="nvcc is broken"):
        build.kernels()


@pytest.mark.usefixtures("_no_kernels")
def test_set_impl_says_what_auto_means():
    ops.set_impl("cuda")
    with pytest.raises(RuntimeError, match="needs a CUDA tensor"):
        ops.bias_act(torch.zeros(1, 1))
    assert not build.use_kernel("ref", CUDA)
    ops.set_impl("ref")
    assert not build.use_kernel("auto", CUDA)


def test_a_pytorch_without_cuda_is_named(monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", None)
    assert build._build.__wrapped__() == "this PyTorch was built without CUDA"


@pytest.mark.parametrize("headers", [True, False])
def test_a_script_that_stands_for_nvcc_says_where_the_toolkit_lies(tmp_path, headers):
    """As where /usr/local/bin/nvcc calls that of a toolkit elsewhere."""
    script = tmp_path / "bin/nvcc"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\necho '#$ _SPACE_= ' >&2; echo '#$ _HERE_=/opt/cuda/bin' >&2\n")
    script.chmod(0o755)
    if headers:
        (tmp_path / "include").mkdir()
        (tmp_path / "include/cuda_runtime.h").touch()
    assert build._toolkit(str(tmp_path)) == (str(tmp_path) if headers else "/opt/cuda")


def test_the_name_follows_the_sources(monkeypatch, tmp_path):
    copy = shutil.copytree(build.SOURCE_DIR, tmp_path / "cuda")
    monkeypatch.setattr(build, "SOURCE_DIR", copy)
    before = build.extension_name()
    assert before == build.extension_name()
    (copy / "kernels.h").write_text("// another")
    assert build.extension_name() != before


def nvcc() -> str:
    home = os.environ.get("CUDA_HOME", "")
    compiler = shutil.which("nvcc") or shutil.which(Path(home, "bin/nvcc"))
    if compiler is None:
        pytest.skip("no nvcc")
    return compiler


@pytest.mark.parametrize("source", [s for s in build.SOURCES if s.endswith(".cu")])
def test_kernels_compile(source, tmp_path):
    """To machine code for one GPU, unoptimized to be quick."""
    flags = ["-std=c++17", "-arch=sm_90", "-Xcicc=-O0", "-Xptxas=-O0", "-Werror=all-warnings"]
    target = tmp_path / "kernel.o"
    files = ["-c", str(build.SOURCE_DIR / source), "-o", str(target)]
    subprocess.run([nvcc(), *flags, *files], check=True)
    assert target.stat().st_size > 10_000


def test_bindings_compile(cuda_include):
    """Against this PyTorch's headers; the compiler only checks."""
    if torch.version.cuda is None or shutil.which("g++") is None:
        pytest.skip("no g++, or a PyTorch without CUDA, which lacks headers")
    from torch.utils import cpp_extension

    folders = [*cpp_extension.include_paths(), sysconfig.get_path("include"), str(cuda_include)]
    flags = ["-fsyntax-only", "-std=c++20", "-Wall", "-Werror", "-DTORCH_EXTENSION_NAME=ops"]
    flags += [word for folder in folders for word in ("-isystem", folder)]
    subprocess.run(["g++", *flags, str(build.SOURCE_DIR / "bindings.cpp")], check=True)
