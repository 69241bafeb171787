"""The house's order: which part may import which, and what stays out of the light parts."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import ferbench
import stylegan2_ada

SRC = Path(ferbench.__file__).parent
LIBRARY = Path(stylegan2_ada.__file__).parent
FILES = sorted(SRC.rglob("*.py"))

# From the ground up. A package imports from lower storeys only, never from its own or a higher one.
STOREYS = (
    "errors classes progress stopping version",
    "files metrics recipes",
    "report config",
    "similarity runs",
    "data models results",
    "classifiers",
    "gan bias",
    "fidelity privacy data_audit curation study",
    "commands",
    "cli",
    "__main__ api",
    "__init__",
)
HEIGHT = {part: height for height, storey in enumerate(STOREYS) for part in storey.split()}
SHARED_BY_COMMANDS = (
    "drawing",
    "edited",
    "estimates",
    "generators",
    "inputs",
    "judges",
    "launcher",
    "measured",
    "needed",
    "plans",
)
ABOVE_COMMANDS = {"__init__", "__main__", "api", "cli"}
HEAVY = {"torch", "torchvision", "timm", "matplotlib", "sklearn", "hydra", "omegaconf"}


def part_of(file: Path) -> str:
    """`data` for data/resize.py, `files` for files.py; the package itself is `__init__`."""
    return file.relative_to(SRC).parts[0].removesuffix(".py")


@cache
def imports(file: Path, *, late: bool = True) -> tuple[str, ...]:
    """Modules that a file imports, as ferbench.data.fer2013.source; late: inside functions too."""
    return tuple(_imports(file, late))


def _imports(file: Path, late: bool) -> Iterator[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    nodes = ast.walk(tree) if late else iter(tree.body)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import"
            for name in node.names:
                inner = f"{node.module}.{name.name}"
                yield inner if module_file(inner) else str(node.module)


def module_file(name: str) -> Path | None:
    """The file of a module of ferbench, None for anything else."""
    base = SRC.parent.joinpath(*name.split("."))
    found = [p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()]
    return found[0] if found and name.startswith("ferbench") else None


def parts_imported(file: Path) -> set[str]:
    names = [name.split(".") for name in imports(file) if name.startswith("ferbench.")]
    return {name[1] for name in names}


def test_every_part_has_its_storey() -> None:
    assert {part_of(file) for file in FILES} == set(HEIGHT)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SRC)))
def test_imports_point_down(file: Path) -> None:
    part = part_of(file)
    for other in parts_imported(file) - {part}:
        assert HEIGHT[other] < HEIGHT[part], f"{part} imports {other}"


def test_the_config_ends_in_commands() -> None:
    """Below the commands nobody knows the config sections, the command line, Hydra or OmegaConf."""
    for file in FILES:
        part = part_of(file)
        if part in {*ABOVE_COMMANDS, "config"}:
            continue
        assert not parts_imported(file) & ABOVE_COMMANDS, file
        assert "config" not in parts_imported(file) or part == "commands", file
        assert not {"hydra", "omegaconf"} & {name.split(".")[0] for name in imports(file)}, file


def test_only_the_command_line_knows_hydra_and_its_public_names() -> None:
    for file in FILES:
        used = [name for name in imports(file) if name.partition(".")[0] in {"hydra", "omegaconf"}]
        assert not used or part_of(file) == "cli" or file == SRC / "config" / "store.py", file
        assert not [name for name in used if "._" in name], file


def test_commands_do_not_import_each_other() -> None:
    """What several need stands in the shared files; audit_inputs and such are parts of audit."""
    shared = {f"ferbench.commands.{name}" for name in SHARED_BY_COMMANDS}
    for file in FILES:
        names = {name for name in imports(file) if name.startswith("ferbench.commands")}
        allowed = shared if part_of(file) in {"commands", "api"} else set()
        own = f"ferbench.commands.{file.stem}_"
        names = {name for name in names if not name.startswith(own)}
        assert names <= allowed, f"{file.relative_to(SRC)}: {names - allowed}"


def test_the_files_that_commands_share_import_no_command() -> None:
    for name in SHARED_BY_COMMANDS:
        own = {one for one in imports(SRC / "commands" / f"{name}.py") if ".commands." in one}
        assert {one.split(".")[2] for one in own} <= set(SHARED_BY_COMMANDS), name


@pytest.mark.parametrize("part", ["fidelity", "privacy", "bias", "data_audit"])
def test_measuring_never_imports_reporting(part: str) -> None:
    """What measures knows neither reports nor what is made of its numbers for people."""
    shown = {"numbers", "tables", "figures", "report"}
    for file in (SRC / part).glob("*.py"):
        if file.stem not in shown:
            own = {name.rpartition(".")[2] for name in imports(file) if f".{part}." in name}
            assert not own & shown, file
            assert "report" not in parts_imported(file), file


@pytest.mark.parametrize("command", ["prepare", "table"])
def test_light_commands_import_nothing_heavy(command: str) -> None:
    """Reading FER2013 and printing the table run where torch is not even installed."""
    waiting, seen = [f"ferbench.commands.{command}"], set()
    while waiting:
        name = waiting.pop()
        file = module_file(name)
        assert name.partition(".")[0] not in HEAVY, name
        if file is None or name in seen:
            continue
        seen.add(name)
        package = name.rpartition(".")[0]
        waiting += [package, *imports(file, late=False)]
    assert len(seen) > 5


def test_the_gan_library_stands_alone() -> None:
    """It imports torch, numpy and the standard library."""
    allowed = {"torch", "numpy", "stylegan2_ada", *sys.stdlib_module_names}
    for file in LIBRARY.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [name.name for name in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [str(node.module)]
            assert {name.partition(".")[0] for name in names} <= allowed, file


@pytest.mark.parametrize(
    "file", [*SRC.rglob("__init__.py"), *LIBRARY.rglob("__init__.py")], ids=lambda f: f.parent.name
)
def test_packages_hand_names_on_and_define_nothing(file: Path) -> None:
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        names = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        assert docstring or names or isinstance(node, ast.Import | ast.ImportFrom), ast.unparse(
            node
        )


def test_the_picture_of_the_rooms_is_drawn_from_the_imports() -> None:
    script = SRC.parents[1] / "scripts" / "draw_rooms.py"
    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
