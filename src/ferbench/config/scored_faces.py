"""The section `data` of `ferbench evaluate`: which faces a run is scored on.

No postponed annotations in this file: OmegaConf reads the field types.
"""

from dataclasses import dataclass

from ferbench.config.data import BASES, ToyConfig, check_toy
from ferbench.errors import UserError, one_of
from ferbench.recipes.marks import AsTyped, Content, Result


@dataclass(frozen=True)
class ScoredFacesConfig:
    """A set of real or toy faces to score a run on, or the run's own: conf/data/own.yaml."""

    own: Content[bool]
    name: Result[str]
    folder: Content[AsTyped[str | None]]
    toy: Result[ToyConfig]

    def __post_init__(self) -> None:
        one_of("data.name", self.name, ("own",) if self.own else BASES)
        if self.own:
            self._check_own()
            return
        check_toy(self.toy, self.name, self.name)
        if self.folder is None:
            raise UserError(f"data.folder=null: a value is needed with data={self.name}")

    def _check_own(self) -> None:
        """Refuse what would be ignored."""
        toy = {f"toy.{key}": value for key, value in vars(self.toy).items()}
        for key, value in {"folder": self.folder, **toy}.items():
            if value is not None:
                raise UserError(
                    f"data.{key}={value}: not with data=own; expected data=real or data=toy"
                )
