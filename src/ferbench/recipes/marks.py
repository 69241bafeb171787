"""What a key of a config does to the result of a run: marks for the fields of recipes and configs.

Every field of what a run is configured by has one of them, so that none can be forgotten:
`psi: Result[float]`, `set: Content[str | None]`, `outputs: Neutral[str]`. For type checkers, and
for OmegaConf, the field has the type in the brackets. `ferbench.config.identity` reads the marks.

A field that holds a path or free text is marked besides, as in `set: Content[AsTyped[str | None]]`.
"""

from typing import Annotated, TypeVar

T = TypeVar("T")

RESULT, CONTENT, NEUTRAL = "result", "content", "neutral"
AS_TYPED = "as typed"

# The value changes what comes out.
Result = Annotated[T, RESULT]
# It says where something is, or lets the command choose (auto): what is found there counts, and
# the command adds that itself, by a hash or a name.
Content = Annotated[T, CONTENT]
# It changes no result: where the run goes, how it is called, what is drawn of it.
Neutral = Annotated[T, NEUTRAL]
# The command line takes its text as it stands, commas and brackets included.
AsTyped = Annotated[T, AS_TYPED]
