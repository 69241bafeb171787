"""The files of --config-dir as Hydra reads them: short spellings of keys may stand in them, too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource
from omegaconf import DictConfig, OmegaConf

from ferbench.config.commands import with_full_keys


def register() -> None:
    """Let Hydra read folders of the scheme own://."""
    Plugins.instance().register(OwnFiles)


class OwnFiles(ConfigSource):
    """A folder of GROUP/OPTION.yaml, in which every key of `SHORT_KEYS` is written out in full."""

    @staticmethod
    def scheme() -> str:
        """What the address of such a folder begins with."""
        return "own"

    def load_config(self, config_path: str) -> ConfigResult:
        """Read one file; ConfigLoadError if there is none."""
        path = self._file(config_path)
        if not path.is_file():
            raise ConfigLoadError(f"{path}: no such file")
        header = self._get_header_dict(path.read_text(encoding="utf-8"))
        config = OmegaConf.load(path)
        if isinstance(config, DictConfig):
            content: Any = OmegaConf.to_container(config, resolve=False)
            package = header["package"] or ".".join(Path(config_path).parts[:-1])
            config = OmegaConf.create(with_full_keys(content, package.removeprefix("_global_")))
        return ConfigResult(self.provider, self.full_path(), config, header)

    def available(self) -> bool:
        """Whether the folder is there."""
        return self.is_group("")

    def is_group(self, config_path: str) -> bool:
        """Whether there is a folder of options."""
        return (Path(self.path) / config_path).is_dir()

    def is_config(self, config_path: str) -> bool:
        """Whether there is such an option."""
        return self._file(config_path).is_file()

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        """Names of groups and options in a folder, sorted."""
        names: list[str] = []
        for path in (Path(self.path) / config_path).iterdir():
            inside = str(path.relative_to(self.path))
            self._list_add_result(names, inside, path.name, results_filter)
        return sorted(set(names))

    def _file(self, config_path: str) -> Path:
        return Path(self.path) / self._normalize_file_name(config_path)
