"""Short names for parts and formats on the page, and words for a place in the queue."""

import re
from collections.abc import Sequence

LABEL_LENGTH = 11  # characters that fit under a fader
NAMED = 6  # of many names, those that are said


NUMBER_AT_END = re.compile(r"\d+$")


def label(name: str) -> tuple[str, str]:
    """Return two short lines for a dotted name; what does not fit is cut in front, where names are alike.

    >>> names = "layer1.0.conv2", "encoder.encoder_layer_3.self_attention.out_proj", "layer2.0.shortcut.0"
    >>> tuple(label(name) for name in names)
    (('layer1.0', 'conv2'), ('e.el3.sa', 'out_proj'), ('layer2.0', 'shortcut.0'))
    >>> label("features.denseblock3.denselayer12.conv1")
    ('f.d3.d12', 'conv1')
    >>> label("features.10"), label("stages.2.residual_branch")
    (('features', '10'), ('stages.2', '…ual_branch'))
    >>> label("layers.0.attention.q_proj"), label("layers.0.attention.q_proj#queries")
    (('l.0.a', 'q_proj'), ('l.0.a', 'queries'))
    """
    path, _, last = name.rpartition(".")
    if (inner := last.rpartition("#")[2]).isalpha():  # channels of a layer that are removed by themselves
        last = inner
    if last.isdigit() and "." in path:  # means nothing without the name before it
        path, _, before = path.rpartition(".")
        last = f"{before}.{last}"
    short = path if len(path) <= LABEL_LENGTH else ".".join(_initials(part) for part in path.split("."))
    return _end(short), _end(last)


def _end(line: str) -> str:
    return line if len(line) <= LABEL_LENGTH else f"…{line[1 - LABEL_LENGTH :]}"


def _initials(part: str) -> str:
    """Return first letters; numbers are kept, since they distinguish similar names."""
    return "".join(word if word.isdigit() else word[:1] + _number(word) for word in part.split("_"))


def _number(word: str) -> str:
    found = NUMBER_AT_END.search(word)
    return found[0] if found else ""


def shortened(names: Sequence[str]) -> str:
    """Return names as text, of many only the first, and how many more there are.

    >>> shortened(["conv1", "bn1"]), shortened(list("abcdefg")), shortened(list("abcdefghi"))
    ('conv1, bn1', 'a, b, c, d, e, f, g', 'a, b, c, d, e, f and 3 more')
    """
    if len(names) <= NAMED + 1:  # one name is as short as "1 more"
        return ", ".join(names)
    return f"{', '.join(names[:NAMED])} and {len(names) - NAMED:,} more"


def place_words(ahead: int) -> str:
    """Return the sentence for whoever waits for the jobs of other visitors.

    >>> place_words(1), place_words(2)
    ('1 job of another visitor is before yours.', '2 jobs of other visitors are before yours.')
    """
    if ahead == 1:
        return "1 job of another visitor is before yours."
    return f"{ahead} jobs of other visitors are before yours."


NAMES = {
    "safetensors": "safetensors and loader (zip)",
    "recipe_json": "recipe (JSON)",
    "pt2": "torch.export program (pt2)",
    "onnx": "ONNX",
    "python_snippet": "one Python file",
    "csv": "tables (CSV)",
    "figures_html": "figures (web pages)",
    "html_report": "report (web page)",
    "transformers": "folder of transformers (zip)",
}
