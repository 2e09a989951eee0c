"""Names of layers -> their places in a stack of blocks that are built alike: which block, and what it is
there.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

LEAST = 3  # blocks of a stack, and places of a kind


@dataclass(frozen=True, order=True)
class BlockPlace:
    """Where a layer is.

    Args:
        stack: the name of its block without the number: "layers.", or "encoder.layer_".
        number: of its block.
        kind: the rest of its name, which the layer has in each block: "attention.q_proj".
    """

    stack: str
    number: int
    kind: str

    @property
    def block(self) -> str:
        """Return the name of its block."""
        return f"{self.stack}{self.number}"


@dataclass(frozen=True)
class Stacked:
    """The layers of a model that are in stacks.

    Args:
        places: name -> place, in the order given.
        blocks: names of the blocks, from the first to the last.
        kinds: those that at least three blocks have.
    """

    places: Mapping[str, BlockPlace]
    blocks: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()

    @property
    def short_blocks(self) -> tuple[str, ...]:
        """Return the blocks by their numbers if there is only one stack, else by their names."""
        numbers = {place.block: str(place.number) for place in self.places.values()}
        alone = len({place.stack for place in self.places.values()}) == 1
        return tuple(numbers[block] if alone else block for block in self.blocks)


def stacked(names: Iterable[str]) -> Stacked:
    """Return the layers that are in a stack of at least three blocks that share two kinds of layers or more.

    Where blocks hold blocks, the outer ones count.

    >>> found = stacked(f"h.{n}.{part}" for n in range(3) for part in ("attn", "mlp.0"))
    >>> found.blocks, found.kinds, found.places["h.2.mlp.0"]
    (('h.0', 'h.1', 'h.2'), ('attn', 'mlp.0'), BlockPlace(stack='h.', number=2, kind='mlp.0'))
    >>> stacked(["conv1", "conv2", "conv3", "features.0", "features.3", "features.6"]).blocks
    ()
    """
    names = tuple(dict.fromkeys(names))
    stacks = _stacks(names)
    readings = {name: [place for place in _places(name) if place.stack in stacks] for name in names}
    first = {name: found[0] for name, found in readings.items() if found}
    count = Counter(place.kind for place in first.values())
    places = {name: place for name, place in first.items() if count[place.kind] >= LEAST}
    order = list(dict.fromkeys(place.stack for place in places.values()))
    blocks = sorted({(order.index(p.stack), p.number, p.block) for p in places.values()})
    kinds = tuple(dict.fromkeys(place.kind for place in places.values()))
    return Stacked(places, tuple(block for _, _, block in blocks), kinds)


def _places(name: str) -> Iterator[BlockPlace]:
    """Yield each reading of a name: numbers that stand alone first, then those that end a word."""
    parts = name.split(".")
    for alone in (True, False):
        for at, part in enumerate(parts[:-1]):
            stem = part.rstrip("0123456789")
            if part[len(stem) :].isascii() and part != stem and alone is (stem == ""):
                yield BlockPlace(
                    ".".join([*parts[:at], stem]), int(part[len(stem) :]), ".".join(parts[at + 1 :])
                )


def _stacks(names: Iterable[str]) -> set[str]:
    """Return the stacks whose blocks share enough."""
    blocks: dict[str, dict[str, set[int]]] = {}
    for name in names:
        for place in _places(name):
            blocks.setdefault(place.stack, {}).setdefault(place.kind, set()).add(place.number)
    return {
        stack
        for stack, kinds in blocks.items()
        if sum(len(numbers) >= LEAST for numbers in kinds.values()) > 1
    }
