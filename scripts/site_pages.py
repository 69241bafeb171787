"""A hook of MkDocs: pages of the site that stand elsewhere in the repository than in docs/.

A link between files is written as it works in the repository, and is turned here into the link
between their pages.
"""

import os.path
import re
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
PAGES = {  # the file in the repository, and the page that it becomes
    "pretrained/README.md": "model_cards.md",
    "third_party/stylegan2_ada/README.md": "stylegan2_ada.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
}
_LINK = re.compile(r"\]\((?P<path>[^)#:\s]+)(?P<anchor>#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of PAGES."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let the links of a page lead to pages; what is no page is left for MkDocs to refuse."""
    sources = {made: source for source, made in PAGES.items()}
    source = sources.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    folder = PurePosixPath(source).parent

    def to_page(link: re.Match[str]) -> str:
        path = os.path.normpath(folder / link["path"])
        return f"]({PAGES.get(path, path.removeprefix('docs/'))}{link['anchor'] or ''})"

    return _LINK.sub(to_page, markdown)
