"""The Inception-v3 of the published FID, as torch-fidelity carries it, with weights of its own."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import torch
from torch import Tensor

from ferbench.classifiers.judge import Description
from ferbench.errors import UserError
from ferbench.files import sha256_of
from ferbench.runs import checkpoint

BATCH = 64  # images of 299 px at a time
FEATURES = ("2048", "logits_unbiased")  # of torch-fidelity: for FID and KID, and for the score
HASH_PREFIX = "6726825d"  # of the published file's SHA-256


@dataclass(frozen=True)
class Inception:
    """Describes images like a `Judge`; hash: hex SHA-256 of the weights' file."""

    model: torch.nn.Module
    device: torch.device
    name: str
    hash: str

    @torch.inference_mode()
    def describe(self, images: np.ndarray, *, batch: int = BATCH) -> Description:
        """Features [N, 2048] and logits [N, 1008] of images [N, H, W] uint8, N > 0, in float32.

        Gray goes into all three channels; the network resizes to 299 px itself, as the published
        one did.
        """
        size = min(batch, BATCH)
        parts = [self._describe(images[i : i + size]) for i in range(0, len(images), size)]
        features, logits = (torch.cat(rows).numpy() for rows in zip(*parts, strict=True))
        return Description(features, logits)

    def _describe(self, images: np.ndarray) -> tuple[Tensor, Tensor]:
        gray = torch.from_numpy(np.array(images)).to(self.device)
        features, logits = self.model(gray[:, None].expand(-1, 3, -1, -1))
        return features.cpu(), logits.cpu()


def load(weights: Path | None, device: torch.device) -> Inception:
    """Inception-v3 with the weights of a file, of torch's cache, or downloaded to it.

    Nothing in the file is run. Raises UserError without torch-fidelity, and where there are no
    weights or others.
    """
    try:
        from torch_fidelity import feature_extractor_inceptionv3 as library
    except ImportError:
        raise UserError(
            "features=inception: needs torch-fidelity; `pip install 'ferbench[fidelity]'`"
        ) from None
    path = weights or _cached(library.URL_INCEPTION_V3)
    model = _built(library.FeatureExtractorInceptionV3, path)
    name = f"inception of torch-fidelity {version('torch-fidelity')}"
    evaluating = model.to(device).eval()  # torch-fidelity 0.3 leaves it training
    return Inception(evaluating, device, name, sha256_of(path))


def _cached(url: str) -> Path:
    """The published weights in torch's cache, downloaded if they are not there."""
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        print(f"downloading {url}")
        try:
            torch.hub.download_url_to_file(url, str(path), hash_prefix=HASH_PREFIX)
        except (URLError, OSError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise UserError(
                f"features=inception: its weights are not at {path} and cannot be downloaded "
                f"({reason}); weights=PATH takes the file, features=fer works offline"
            ) from None
    return path


def _built(kind: Any, path: Path) -> torch.nn.Module:
    """The network, from a copy that holds nothing but tensors: the library unpickles anything."""
    state = checkpoint.load_plain(path)
    with tempfile.TemporaryDirectory(prefix="ferbench-") as folder:
        copy = Path(folder) / "weights.pth"
        torch.save(state, copy)
        try:
            return kind(  # type: ignore[no-any-return]
                "inception-v3-compat", list(FEATURES), feature_extractor_weights_path=str(copy)
            )
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:200]
            raise UserError(f"weights={path}: not those of Inception-v3 ({reason})") from None
