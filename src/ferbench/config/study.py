"""What `ferbench study` takes; values in conf/study.yaml.

No postponed annotations in this file: OmegaConf reads the field types.
"""

from dataclasses import dataclass

from ferbench.config.sections import PRECISIONS, check_figures
from ferbench.errors import UserError, one_of
from ferbench.recipes.marks import AsTyped


@dataclass(frozen=True)
class RunStudy:
    """ferbench study."""

    outputs: AsTyped[str]
    name: AsTyped[str | None]
    file: AsTyped[str | None]
    budget: str
    seeds: AsTyped[str | None]
    only: AsTyped[str | None]
    words: AsTyped[str | None]
    device: str
    precision: str
    plan: bool
    report: bool
    figures: str

    def __post_init__(self) -> None:
        one_of("precision", self.precision, PRECISIONS)
        check_figures(self.figures)
        if (self.name is None) == (self.file is None):
            raise UserError("name=null: expected name=STUDY, or file=PATH of a YAML file")
        if self.plan and self.report:
            raise UserError("plan=true report=true: expected one of them")
        self.chosen_seeds()

    def chosen_seeds(self) -> tuple[int, ...]:
        """The seeds asked for; () for those of the study."""
        texts = _listed(self.seeds)
        if not all(text.isdecimal() for text in texts):
            raise UserError(f"seeds={self.seeds}: expected whole numbers, such as 0,1,2")
        return tuple(map(int, texts))

    def chosen_cells(self) -> list[str]:
        """The ids, or patterns of ids, of the cells to run; [] for all."""
        return _listed(self.only)


def _listed(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]
