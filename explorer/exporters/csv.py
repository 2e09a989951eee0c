"""Every table of a pruned model, as text for a spreadsheet."""

from ..registry import EXPORTERS
from .archive import zipped
from .export import Export


@EXPORTERS.register("csv", rank=6, extension=".zip", media_type="application/zip", measures=True)
def csv(pruned: Export) -> bytes:
    """A zip with one CSV per table: what was measured, requested and achieved, layers before and after,
    coupled groups.

    Text that a spreadsheet would run as a formula gets an apostrophe in front.
    """
    from .. import tables  # imports pandas, which the command line needs for nothing else

    report, profile = pruned.measured(), pruned.graph.profile
    frames = {
        "measured": tables.quantities(report),
        "parts": tables.parts(report.parts),
        "groups": tables.groups(profile),
        "layers": tables.layer_outcomes(report.layers),
        "dense_layers": tables.layers(profile),
    }
    return zipped({f"{name}.csv": tables.to_csv(frame) for name, frame in frames.items()})
