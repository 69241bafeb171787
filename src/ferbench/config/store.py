"""Hydra's side of the configs: schemas for its store, configs read back from earlier runs."""

from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

from ferbench.config import yaml_files
from ferbench.config.commands import COMMANDS
from ferbench.errors import UserError


def register() -> None:
    """Give Hydra's config store one schema a command, `<command>_schema`."""
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

    section: read this section alone, as `schema`; a change of the others does no harm then.
    A key that the run did not have yet gets the value that its option's file has now.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    try:
        found = _with_later_keys(OmegaConf.load(path), schema, section)
        chosen = found if section is None else OmegaConf.select(found, section, default={})
        return OmegaConf.to_object(OmegaConf.merge(writable(schema), chosen))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; expected the folder of an earlier run") from None
    except (OmegaConfBaseException, YAMLError) as error:
        raise UserError(f"{path}: not a config of this version ({_first_line(error)})") from None


def _with_later_keys(stored: Any, schema: type, section: str | None) -> Any:
    """Fill in what is missing in the sections that a stored config has, and beside them."""
    from omegaconf import DictConfig, OmegaConf

    if not isinstance(stored, DictConfig):
        return stored
    for key, text in _values_now(stored, schema, section).items():
        parent, _, leaf = key.rpartition(".")
        node = OmegaConf.select(stored, parent) if parent else stored
        if isinstance(node, DictConfig) and leaf not in node and text != "???":
            written: Any = OmegaConf.to_container(OmegaConf.create(f"value: {text}"))
            node[leaf] = written["value"]
    return stored


def _values_now(stored: Any, schema: type, section: str | None) -> dict[str, str]:
    """{key: text in YAML} of the command's own keys and of the options that the sections name."""
    from omegaconf import OmegaConf

    commands = [name for name, kind in COMMANDS.items() if kind is schema]
    groups = [group for name in commands for group in yaml_files.groups_of(name)]
    found = {
        k: text for name in commands for k, (text, _) in yaml_files.keys_of_command(name).items()
    }
    for group in groups if section is None else [section]:
        options = yaml_files.options_of(group)
        named = OmegaConf.select(stored, f"{group}.name")
        option = named if named in options else "default"
        if option in options:
            found |= {k: text for k, (text, _) in yaml_files.keys_of_option(group, option).items()}
    return found


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
