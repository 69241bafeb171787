"""The rooms of the GAN library: which may import which, and what the library hands on."""

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import stylegan2_ada

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = Path(stylegan2_ada.__file__).parent

# A room is a package or a file beside them.
MAY_IMPORT = {
    "ops": set(),
    "safe_pickle": set(),
    "networks": {"ops"},
    "augment": {"ops"},
    "sampling": {"networks"},
    "official": {"networks", "safe_pickle"},
    "training": {"ops", "networks", "augment", "sampling"},
}
PACKAGES = sorted(path.parent.name for path in LIBRARY.glob("*/__init__.py"))


def imports(file: Path) -> Iterator[tuple[str, ...]]:
    """Modules of the library that a file imports, from the library's root: ("networks",)."""
    package = file.relative_to(LIBRARY).parts[:-1]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level > 0:
            above = package[: len(package) + 1 - node.level]
            module = (*above, *(node.module.split(".") if node.module else ()))
            yield from {module} if node.module else {(*module, name.name) for name in node.names}


def test_every_room_has_its_rule_and_no_circle_is_allowed() -> None:
    files = {path.stem for path in LIBRARY.glob("*.py")} - {"__init__"}
    assert {*PACKAGES, *files} == set(MAY_IMPORT)
    tuple(TopologicalSorter(MAY_IMPORT).static_order())  # raises CycleError


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_rooms_import_what_they_may_through_its_init(room: str) -> None:
    """`from ..networks import X`: the files of another room are its own affair."""
    for file in [LIBRARY / f"{room}.py", *(LIBRARY / room).glob("*.py")]:
        for module in imports(file) if file.is_file() else ():
            if module[0] != room:
                assert module[0] in MAY_IMPORT[room], f"{file}: imports {module[0]}"
                assert len(module) == 1, f"{file}: imports {'.'.join(module)}, not {module[0]}"


@pytest.mark.parametrize("room", PACKAGES)
def test_files_of_a_room_form_no_circle(room: str) -> None:
    inside = {
        file.stem: {module[1] for module in imports(file) if module[0] == room}
        for file in (LIBRARY / room).glob("*.py")
    }
    tuple(TopologicalSorter(inside).static_order())  # raises CycleError


def test_the_library_imports_itself_relatively() -> None:
    for file in LIBRARY.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert "stylegan2_ada" not in {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                assert not str(node.module).startswith("stylegan2_ada"), file


def test_the_library_hands_on_what_is_used() -> None:
    """By ferbench, the scripts, the tests or the library's README, as sg.NAME or by its name."""
    files = [file for part in ("src", "scripts", "tests") for file in (ROOT / part).rglob("*.py")]
    used = set()
    for file in [*files, LIBRARY / "README.md"]:
        text = file.read_text(encoding="utf-8")
        used |= set(re.findall(r"\b(?:sg|stylegan2_ada)\.(\w+)", text))
        for names in re.findall(r"from stylegan2_ada import \(?([\w\s,]+)", text):
            used |= set(re.findall(r"\w+", names))
    assert set(stylegan2_ada.__all__) - used == set()
