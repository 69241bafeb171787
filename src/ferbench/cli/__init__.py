"""The command line: the words that are typed, Hydra, help, and how errors are printed."""

from ferbench.cli.main import main

__all__ = ["main"]
