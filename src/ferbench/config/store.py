"""Hydra's side of the configs: schemas for its store, configs read back from earlier runs."""

from dataclasses import is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

from ferbench.config.commands import COMMANDS
from ferbench.errors import UserError


class OtherVersion(UserError):
    """A config with other keys or types than this version's."""


@cache
def register() -> None:
    """Give Hydra's config store one schema a command, `<command>_schema`; once is enough."""
    from hydra.core.config_store import ConfigStore

    for command, schema in COMMANDS.items():
        name = command.replace("-", "_")
        ConfigStore.instance().store(name=f"{name}_schema", node=writable(schema))


def writable(schema: type) -> Any:
    """Typed node that YAML may fill: OmegaConf makes the nodes of frozen dataclasses read-only."""
    from omegaconf import OmegaConf

    node = OmegaConf.structured(schema)
    OmegaConf.set_readonly(node, False)
    for name, kind in get_type_hints(schema).items():
        if is_dataclass(kind):
            node[name] = writable(kind)  # type: ignore[arg-type]
    return node


def read_config(schema: type, path: Path, section: str | None = None) -> Any:
    """The checked config of an earlier run, from its config.yaml; UserError if it does not fit.

    A file that is no YAML is called damaged, one with other keys or types of another version.

    section: read this section alone, as `schema`; what the others hold does no harm then.
    """
    from omegaconf import DictConfig, OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    try:
        found = OmegaConf.load(path)
        if not isinstance(found, DictConfig) or not found:
            raise UserError(f"{path}: damaged (it holds no keys); expected the config of a run")
        chosen = found if section is None else OmegaConf.select(found, section, default={})
        return OmegaConf.to_object(OmegaConf.merge(writable(schema), chosen))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; expected the folder of an earlier run") from None
    except (YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path}: damaged, not YAML ({reason})") from None
    except OmegaConfBaseException as error:
        raise OtherVersion(f"{path}: not a config of this version ({_first_line(error)})") from None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
