"""What the tests make for each other: configs equal Hydra's own, folders are filled once."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

import made
from ferbench.cli.arguments import for_hydra
from ferbench.config.store import register
from ferbench.config.yaml_files import CONF, file_name


@pytest.mark.parametrize(
    "line",
    [
        "classify",
        "classify data=mixed mix=add data.synthetic_per_real=2 train.augment.flip=0 outputs=o",
        "classify model=vgg train=sgd train.epochs=3 experiment=resnet50_standard_stem name=mine",
        "classify train={epochs:3,batch:7} data.folder=${outputs}/x",
        "train-gan gan=tiny total_kimg=0.1 gan.res=12 gan.lr=0.1 data=toy data.toy_train=70",
        "synth gan=a,b counts=angry:3 n=null",
        "prepare source=a source=b",
    ],
)
def test_a_job_is_what_hydra_composes(line: str) -> None:
    command, *words = line.split()
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        wanted = OmegaConf.to_object(compose(file_name(command), for_hydra(command, words)))
    assert made.job(command, *words) == wanted
    assert made.job(command, *words) == wanted  # the first one left no trace


def test_a_folder_is_filled_once(tmp_path: Path) -> None:
    """One that could not be filled is filled from new by the next who asks."""
    base, calls = tmp_path / "base" / "worker", []
    base.mkdir(parents=True)

    def make(folder: Path) -> None:
        calls.append(folder)
        (folder / "content").mkdir()
        if len(calls) == 1:
            raise OSError

    with pytest.raises(OSError):  # noqa: PT011
        made.once(base, "name", make)
    folder = made.once(base, "name", make)
    assert made.once(base, "name", make) == folder
    assert [path.name for path in folder.iterdir()] == ["content"]
    assert len(calls) == 2
