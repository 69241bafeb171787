"""What messages must not advise."""

import ast
from pathlib import Path

SRC = Path(__file__).parents[1] / "src/ferbench"


def raised_texts(path: Path) -> list[str]:
    """Every text within a raise statement of the file."""
    raises = [node for node in ast.walk(ast.parse(path.read_text("utf-8")))]
    inner = [one for node in raises if isinstance(node, ast.Raise) for one in ast.walk(node)]
    constants = [one.value for one in inner if isinstance(one, ast.Constant)]
    return [value for value in constants if isinstance(value, str)]


def test_no_error_advises_to_delete() -> None:
    """A wrong guess of what a file is would cost the user the file."""
    texts = {path: raised_texts(path) for path in SRC.rglob("*.py")}
    assert any("move the file away" in text for all_of in texts.values() for text in all_of)
    bad = [text for all_of in texts.values() for text in all_of if "delete" in text.lower()]
    assert not bad
