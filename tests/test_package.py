"""The wheel: what it holds, and that it works outside the checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the checkout; without isolation, so that nothing is downloaded."""
    pytest.importorskip("build", reason="the build package is not installed")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    done = subprocess.run([*command, str(ROOT)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("ferbench-*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked wheel, in a folder with a space and far from the checkout."""
    folder = tmp_path_factory.mktemp("site packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def files_below(folder: Path, pattern: str) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob(pattern)}


def test_the_wheel_holds_every_module_and_config(installed: Path) -> None:
    assert files_below(installed / "ferbench/conf", "*.yaml") == files_below(
        ROOT / "conf", "*.yaml"
    )
    assert files_below(installed / "ferbench", "*.py") == files_below(ROOT / "src/ferbench", "*.py")
    library = ROOT / "third_party/stylegan2_ada"
    for pattern in ("*.py", "*.cu", "*.cpp", "*.h"):
        assert files_below(installed / "stylegan2_ada", pattern) == files_below(library, pattern)


def test_the_wheel_holds_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        size = sum(entry.file_size for entry in archive.infolist())
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {
        "ferbench",
        "stylegan2_ada",
    }
    assert {Path(name).suffix for name in names if ".dist-info" not in name} <= {
        ".py",
        ".yaml",
        ".cu",
        ".cpp",
        ".h",
        ".md",
        ".typed",
        ".safetensors",
    }
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert size < 10_000_000  # of which 6.7 MB are the shipped generators


@pytest.mark.parametrize(
    "words", [["classify", "--help"], ["classify", "data=toy", "--cfg", "job"]]
)
def test_the_wheel_finds_its_configs(words: list[str], installed: Path, tmp_path: Path) -> None:
    """Run from an unrelated folder, with the checkout hidden by the unpacked wheel."""
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    code = (
        "from ferbench.cli import main; from ferbench.config.yaml_files import CONF; import sys\n"
        "print(CONF, file=sys.stderr); main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.strip() == str(installed / "ferbench" / "conf")
    assert "model=vgg" in done.stdout or "folder: ${outputs}/data/toy" in done.stdout
    assert list(tmp_path.iterdir()) == []
