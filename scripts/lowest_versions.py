"""Print the lowest versions that pyproject.toml allows, as pip's requirements, to test with them.

    python scripts/lowest_versions.py > lowest.txt
    python3.10 -m venv .venv-lowest
    .venv-lowest/bin/pip install -r lowest.txt && .venv-lowest/bin/pip install --no-deps -e .
    .venv-lowest/bin/python -m pytest

Needs Python 3.11.
"""

from pathlib import Path

import tomllib
from packaging.requirements import Requirement

PROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"
FOR_TESTS = ("pytest", "torch-fidelity")


def main() -> None:
    """A line for each dependency and for what the tests import."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    extras = [Requirement(text) for text in project["optional-dependencies"]["dev"]]
    needed = [Requirement(text) for text in project["dependencies"]]
    for one in [*needed, *(extra for extra in extras if extra.name in FOR_TESTS)]:
        lowest = next(bound.version for bound in one.specifier if bound.operator == ">=")
        print(f"{one.name}=={lowest}{'.*' if lowest.count('.') < 2 else ''}")


if __name__ == "__main__":
    main()
