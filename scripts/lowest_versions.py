"""Print the lowest versions that pyproject.toml allows, as pip's requirements, to test with them.

    python3.10 -m venv .venv-lowest
    .venv-lowest/bin/pip install packaging tomli
    .venv-lowest/bin/python scripts/lowest_versions.py > lowest.txt
    .venv-lowest/bin/pip install -r lowest.txt && .venv-lowest/bin/pip install --no-deps -e .
    .venv-lowest/bin/python -m pytest

"torch>=2.7" becomes "torch==2.7", which is 2.7.0 and no later patch. What the dependencies need in
their turn is left to pip, and so are the developer's packages that name no lowest version.
"""

import sys
from pathlib import Path

from packaging.requirements import Requirement

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"


def main() -> None:
    """A line for each dependency and for each package that the tests need."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    texts = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    for needed in map(Requirement, texts):
        lowest = [bound.version for bound in needed.specifier if bound.operator == ">="]
        if lowest and (needed.marker is None or needed.marker.evaluate()):
            print(f"{needed.name}=={lowest[0]}")


if __name__ == "__main__":
    main()
