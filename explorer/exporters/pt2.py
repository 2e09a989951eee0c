"""The compact model as a program of torch.export."""

import copy
import io
import json

import torch

from ..errors import ExplorerError
from ..graph.export import EXPORT_LOCK, export_program
from ..graph.keyword_names import keywords
from ..registry import EXPORTERS
from .archive import about
from .export import Export

WARNING = "A .pt2 file can run code when it is loaded: open such files only from places that you trust."


@EXPORTERS.register("pt2", rank=3, extension=".pt2", media_type="application/octet-stream", stages=3)
def pt2(pruned: Export) -> bytes:
    """A torch.export program for `torch.export.load`, C++ and ahead-of-time compilers; load such files only
    from trusted places.

    It takes the model's inputs, any batch; `about.json` among its extra files says how images become inputs.

    Raises:
        GraphError: torch.export refuses the model.
        ExplorerError: plain torch could not run the file, because of the name of a layer.
    """
    unreadable = keywords(name for name, _ in pruned.model.named_modules())
    if unreadable:
        raise ExplorerError(
            f"Layer {unreadable[0][:80]!r} has a word of Python in its name, and torch cannot run a .pt2 "
            "file with such a name; choose another format, or rename the layer."
        )
    model = copy.deepcopy(pruned.model).to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    pruned.step("Tracing the smaller model")
    with EXPORT_LOCK, torch.no_grad():
        program = export_program(model, pruned.examples)
    pruned.step("Writing the program")
    written = io.BytesIO()
    extra = {
        "about.json": json.dumps(about(pruned.subject)),
        "recipe.json": json.dumps(pruned.recipe.to_json()),
    }
    torch.export.save(program, written, extra_files=extra)
    pruned.say(WARNING)
    return written.getvalue()
