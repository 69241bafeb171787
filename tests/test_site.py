"""The documentation as a site (`make docs` builds it): every page can be reached."""

import ast
import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"


def linked_pages(entry: Any) -> set[str]:
    """The pages below an entry of mkdocs.yml's nav: a page, a list, or {title: page or list}."""
    if isinstance(entry, str):
        return {entry}
    inner = entry.values() if isinstance(entry, dict) else entry
    return set().union(*map(linked_pages, inner))


def pages_from_elsewhere() -> dict[str, str]:
    """PAGES of scripts/site_pages.py, read without MkDocs: {file in the repository: page}."""
    tree = ast.parse((ROOT / "scripts/site_pages.py").read_text("utf-8"))
    (pages,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PAGES"
    )
    return dict(ast.literal_eval(pages))


def test_the_menu_has_every_page() -> None:
    menu = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"]
    own = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    assert linked_pages(menu) == own | {*pages_from_elsewhere().values()}


def test_the_index_links_every_page() -> None:
    links = re.findall(r"\]\(([^):]+)\)", (DOCS / "index.md").read_text("utf-8"))
    assert all((DOCS / link).exists() for link in links)
    linked = {(DOCS / link).resolve().relative_to(ROOT).as_posix() for link in links}
    own = {path.relative_to(ROOT).as_posix() for path in DOCS.rglob("*.md")} - {"docs/index.md"}
    assert own | pages_from_elsewhere().keys() <= linked
