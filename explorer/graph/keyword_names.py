"""Handles layers whose name is a Python keyword, such as "class" in an nn.ModuleDict.

torch.fx writes code that reads `self.heads.class`, which is not valid Python; here it reads them with
getattr.
"""

import keyword
from collections.abc import Iterable

import torch.fx.graph


def keywords(names: Iterable[str]) -> list[str]:
    """Return the dotted names that contain a Python keyword.

    >>> keywords(["heads.class.weight", "heads.classes.weight"])
    ['heads.class.weight']
    """
    return [name for name in names if any(map(keyword.iskeyword, name.split(".")))]


def spelled(base: str, target: str) -> str:
    """Return code that reads a dotted name.

    >>> spelled("self", "heads.class"), spelled("self", "features.0.conv")
    ('getattr(self.heads, "class")', 'getattr(self.features, "0").conv')
    """
    code = base
    for part in target.split("."):
        plain = part.isidentifier() and not keyword.iskeyword(part)
        code = f"{code}.{part}" if plain else f'getattr({code}, "{part}")'
    return code


def spell_keywords() -> None:
    """Let torch.fx write such names so that Python can read them, in this process from now on."""
    torch.fx.graph._format_target = spelled
