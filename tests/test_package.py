"""The package: what the wheel holds, that it works outside the checkout, what it depends on."""

import ast
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import ferbench

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

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


def test_the_wheel_says_that_its_types_are_checked(installed: Path) -> None:
    for package in ("ferbench", "stylegan2_ada"):
        assert (installed / package / "py.typed").is_file()


def test_the_wheel_has_the_version_that_python_shows(wheel: Path) -> None:
    assert wheel.name.startswith(f"ferbench-{ferbench.__version__}-")


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


# The name under which a distribution is imported, where it is not its own name.
IMPORTED_AS = {
    "hydra-core": "hydra",
    "pillow": "PIL",
    "pyyaml": "yaml",
    "scikit-learn": "sklearn",
    "umap-learn": "umap",
}
NOT_IMPORTED = {
    "hydra-joblib-launcher": "a plug-in of Hydra that conf/launcher/joblib.yaml names",
    "ninja": "torch builds the CUDA kernels with it",
    "tensorboard": "torch.utils.tensorboard imports it",
}
OUR_OWN = {"ferbench", "stylegan2_ada"}


def module_of(requirement: str) -> str:
    """The module that a requirement's distribution brings: "scikit-learn>=1.4" gives "sklearn"."""
    name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower()
    return IMPORTED_AS.get(name, name.replace("-", "_"))


def imported_names(node: ast.AST) -> list[str]:
    """The modules that an import statement or import_module("...") names, the project's own too."""
    match node:
        case ast.Import(names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=str(module), level=0):
            return [module]
        case ast.Call(ast.Name("import_module"), [ast.Constant(str(module)), *_]):
            return [module]
    return []


def imports_below(*folders: str) -> set[str]:
    """Top-level modules from elsewhere that the Python files below these folders import."""
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    nodes = [node for path in files for node in ast.walk(ast.parse(path.read_text("utf-8")))]
    modules = {name.split(".")[0] for node in nodes for name in imported_names(node)}
    return modules - sys.stdlib_module_names - {"tomllib"} - OUR_OWN  # tomllib: from 3.11 on


def declared(*, for_developers: bool) -> set[str]:
    """The modules that pyproject.toml declares, as dependencies and in the extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    groups = {"dependencies": project["dependencies"], **project["optional-dependencies"]}
    tools = () if for_developers else ("dev", "docs")
    return {module_of(text) for name in groups.keys() - {*tools} for text in groups[name]}


def test_every_import_is_declared() -> None:
    """By name, and not there by chance because another dependency brings it."""
    assert imports_below("src", "third_party") <= declared(for_developers=False)
    own = {path.stem for path in (*ROOT.glob("scripts/*.py"), *ROOT.glob("tests/*.py"))}
    assert imports_below("tests", "scripts") - own <= declared(for_developers=True)


def test_every_dependency_is_used() -> None:
    unused = declared(for_developers=False) - imports_below("src", "third_party")
    assert unused == {module_of(name) for name in NOT_IMPORTED}


def test_the_release_is_the_same_in_all_files() -> None:
    """The version that Python shows stands in the citation and in the changelog's newest entry."""
    version = ferbench.__version__
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    newest = re.search(r"^## (\S+) - (\S+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)
    assert newest is not None and newest[1] == version
    assert f"\nversion: {version}\n" in citation and f"\ndate-released: {newest[2]}\n" in citation
