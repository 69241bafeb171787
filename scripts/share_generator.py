"""Write a trained generator without its discriminator, to give it to others.

    python scripts/share_generator.py GENERATOR FILE.safetensors

GENERATOR: a run of `ferbench train-gan` (its best weights) or a .safetensors file of one. A
discriminator can tell training images from others (`ferbench audit gan=...`), and drawing does not
need it; training further does, so keep the run.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from ferbench.gan import trained


def share(source: Path, path: Path) -> None:
    """The generator of `source` in a new file, float16; FileExistsError if there is one already."""
    if path.exists():
        raise FileExistsError(f"{path}: exists")
    found = trained.load(source, device=torch.device("cpu"))
    trained.save(path, found.network, None, found.facts)


def main() -> None:
    """Parse the command line, write the file, say how large it is."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path)
    parser.add_argument("file", type=Path)
    chosen = parser.parse_args()
    share(chosen.source, chosen.file)
    print(f"{chosen.file}: {chosen.file.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
