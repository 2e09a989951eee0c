"""The decision alone."""

import json

from ..registry import EXPORTERS
from .export import Export


@EXPORTERS.register("recipe_json", rank=2, extension=".json", media_type="application/json")
def recipe_json(pruned: Export) -> bytes:
    """The recipe as readable JSON: what was decided, for the command line, for a colleague, for version
    control.
    """
    return (json.dumps(pruned.recipe.to_json(), indent=1) + "\n").encode()
