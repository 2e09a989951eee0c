"""What is removed as one: channels, single weights or blocks. The words for it are said here, once."""

from collections.abc import Mapping
from typing import Final, Literal

from ..errors import UnknownNameError

Granularity = Literal["channel", "weight", "block"]
Graded = Literal["channel", "weight"]  # a part of these has a ratio; a block is removed whole or not at all
CHANNEL: Final = "channel"
WEIGHT: Final = "weight"
BLOCK: Final = "block"
GRADED: tuple[Graded, ...] = (CHANNEL, WEIGHT)
GRANULARITIES: tuple[Granularity, ...] = (BLOCK, *GRADED)  # from coarse to fine
# as recipes, masks, flags and files call the parts
PLURALS: Mapping[Granularity, str] = {CHANNEL: "channels", WEIGHT: "weights", BLOCK: "blocks"}
# as a sentence says what is removed
WORDS: Mapping[Granularity, str] = {CHANNEL: "channels", WEIGHT: "single weights", BLOCK: "blocks"}

_GRADED: Mapping[object, Graded] = {word: one for one in GRADED for word in (one, PLURALS[one])}
_ALL: Mapping[object, Granularity] = {word: one for one in GRANULARITIES for word in (one, PLURALS[one])}


def read_granularity(text: object) -> Granularity:
    """Return the granularity of foreign text: its name, or the plural that older files and pages have.

    Raises:
        UnknownNameError: there is none of that name.

    >>> read_granularity("blocks"), read_granularity("channel")
    ('block', 'channel')
    """
    if not isinstance(text, str) or text not in _ALL:
        raise UnknownNameError("granularity", text, GRANULARITIES)
    return _ALL[text]


def read_graded(text: object) -> Graded:
    """Return one of the granularities whose parts have ratios, as `read_granularity` does.

    Raises:
        UnknownNameError: there is none of that name, or its parts have no ratios.
    """
    if not isinstance(text, str) or text not in _GRADED:
        raise UnknownNameError("granularity with ratios", text, GRADED)
    return _GRADED[text]
