"""The notebooks below examples/: what they use and hold. `pytest --nbmake examples/` runs them."""

import ast
import json
import sys
from pathlib import Path

import pytest

import ferbench

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "examples").glob("*.ipynb"))
MAY_IMPORT = {"ferbench", "numpy", "pandas", "matplotlib", *sys.stdlib_module_names}


def cells(notebook: Path, kind: str) -> list[dict]:
    every = json.loads(notebook.read_text("utf-8"))["cells"]
    return [cell for cell in every if cell["cell_type"] == kind]


def code(notebook: Path) -> ast.Module:
    return ast.parse("\n".join("".join(cell["source"]) for cell in cells(notebook, "code")))


def test_there_are_two() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["first_steps", "read_results"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_holds_no_output(notebook: Path) -> None:
    for cell in cells(notebook, "code"):
        assert cell["outputs"] == [] and cell["execution_count"] is None


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_uses_public_names_alone(notebook: Path) -> None:
    nodes = list(ast.walk(code(notebook)))
    imported = [alias.name for n in nodes if isinstance(n, ast.Import) for alias in n.names]
    imported += [str(n.module) for n in nodes if isinstance(n, ast.ImportFrom)]
    assert {name.partition(".")[0] for name in imported} <= MAY_IMPORT
    assert "ferbench" in imported
    assert not [name for name in imported if name.startswith("ferbench.")]
    used = {
        node.attr
        for node in nodes
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "ferbench"
    }
    assert used and used <= set(ferbench.__all__)
