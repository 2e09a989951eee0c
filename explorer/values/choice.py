"""A plug-in by name, with its parameters."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import RecipeError
from .plain import canonical_json, frozen


@dataclass(frozen=True)
class Choice:
    """A plug-in by name, with the parameters that differ from its defaults."""

    name: str
    params: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise RecipeError(f"A criterion must be a name such as 'l1', got {self.name!r}.")
        if not isinstance(self.params, Mapping) or not all(isinstance(name, str) for name in self.params):
            raise RecipeError(
                f"Parameters of {self.name!r} must map names to values, got {str(self.params)[:80]}."
            )
        try:
            canonical_json(dict(self.params))
        except (TypeError, ValueError, RecursionError) as error:
            raise RecipeError(
                f"Parameters of {self.name!r} must be plain numbers, texts or lists ({error})."
            ) from error
        object.__setattr__(self, "params", frozen(self.params))

    def __hash__(self) -> int:
        return hash((self.name, canonical_json(dict(self.params))))

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "params": dict(self.params)}
