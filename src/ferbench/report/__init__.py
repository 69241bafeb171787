"""One toolkit for every report: blocks, tables, sheets of images, figures."""

from ferbench.report.blocks import (
    HTML,
    Block,
    Code,
    Figure,
    Heading,
    Table,
    Text,
    markdown,
    page,
    write,
)

__all__ = [
    "HTML",
    "Block",
    "Code",
    "Figure",
    "Heading",
    "Table",
    "Text",
    "markdown",
    "page",
    "write",
]
