"""Draws a ModelGraph and the remaining sizes under a recipe as DOT text. Names are foreign text, and quoted
for DOT and HTML.
"""

from collections.abc import Collection, Mapping, Sequence

from ..values.profile import Group, Layer, ModelProfile
from .export import ModelGraph
from .folding import Box, fold, suggested, with_surroundings
from .nodes import layer_of
from .wiring import Place, wiring

# light fills on which dark letters are readable, whatever the page's colour; for groups of several producers,
# in turn
PALETTE = (
    "#9ecae9",
    "#ffbf79",
    "#88d27a",
    "#d6a5c9",
    "#e7d25a",
    "#83bcb6",
    "#ff9d98",
    "#bab0ac",
    "#b5c7f0",
    "#d8b5a5",
)
SINGLE, FROZEN, FOLDED, JOINED = "#dce6ef", "#f3f0ea", "#eceae6", "#ffffff"
INK, LINE, CUT = "#1d1c1a", "#808080", "#d55e00"
WIDEST, NARROWEST = 2.3, 0.7  # inches
GHOST = "removed with its block; what the block reads passes on unchanged"
SPELLED_OUT = 2  # groups of one layer
STRIPES, STRIPE = (
    4,
    0.05,
)  # coupled groups of a folded module: how many are shown at its left, and how wide each is
HEAD = (
    f'  graph [bgcolor="transparent" rankdir=TB ranksep=0.28 nodesep=0.22 fontname="sans-serif" fontsize=11 '
    f'fontcolor="{LINE}" color="{LINE}" style="rounded"];',
    f'  node [shape=box style="filled,rounded" fontname="sans-serif" fontsize=11 fontcolor="{INK}" '
    f'color="{LINE}" '
    'height=0.3 margin="0.08,0.04"];',
    f'  edge [color="{LINE}" arrowsize=0.6];',
)


def draw(
    graph: ModelGraph,
    left: Mapping[str, int] | None = None,
    unfolded: Collection[str] | None = None,
    blocks: Collection[str] = (),
) -> str:
    """Return the model as a DOT graph, top to bottom, or "" if there is no exported graph.

    Args:
        left: group -> remaining units under a recipe; a group that is missing here is whole.
        blocks: residual blocks that are removed; their layers are drawn as ghosts.
        unfolded: modules to show from the inside, with all around them; None = as many as are readable.
    """
    wired = wiring(graph)
    if not wired.places:
        return ""
    opened = suggested(wired) if unfolded is None else with_surroundings(unfolded)
    boxes, ways = fold(wired, opened)
    look = _Look(graph.profile, left or {}, blocks)
    lines = ["digraph {", *HEAD, *_cluster("", boxes, look, 1)]
    lines += [f"  {quoted(a)} -> {quoted(b)};" for a, b in ways]
    return "\n".join([*lines, "}"])


def quoted(foreign: str) -> str:
    """Return foreign text as a literal DOT string: no escapes, no markup, no line breaks.

    >>> print(quoted('a"b' + chr(92) + 'N'))
    "a'b/N"
    """
    plain = "".join(character if character.isprintable() else " " for character in foreign)
    return (
        '"'
        + plain.replace("\\", "/").replace('"', "'").replace("<", "‹").replace(">", "›").replace("&", "+")
        + '"'
    )


def _cluster(module: str, boxes: Sequence[Box], look: "_Look", depth: int) -> list[str]:
    """Return the boxes of one module, and a frame with its boxes for each unfolded module inside."""
    pad = "  " * depth
    lines = [pad + look.node(box) for box in boxes if box.module == module]
    inner = [box.module for box in boxes if box.module != module and _inside(box.module, module)]
    for name in dict.fromkeys(_child(other, module, inner) for other in inner):
        framed = [box for box in boxes if _inside(box.module, name)]
        lines += [
            f"{pad}subgraph {quoted('cluster ' + name)} {{",
            f"{pad}  label={quoted(name)}; labeljust=l;",
        ]
        lines += [*_cluster(name, framed, look, depth + 1), pad + "}"]
    return lines


def _inside(module: str, around: str) -> bool:
    return not around or module == around or module.startswith(around + ".")


def _child(module: str, around: str, known: Collection[str]) -> str:
    """Return the outermost of the known modules that contains this one."""
    return min((name for name in known if _inside(module, name) and name != around), key=len)


class _Look:
    """How a box looks: its label, colour, width and tooltip."""

    def __init__(self, profile: ModelProfile, left: Mapping[str, int], blocks: Collection[str]):
        self.left = left
        gone = {name for block in profile.blocks if block.name in blocks for name in block.tensors}
        self.ghosts = {layer_of(name) for name in gone}
        self.written: dict[str, list[Group]] = {}  # weight -> the groups of its outputs
        self.passed: dict[str, list[Group]] = {}  # any tensor -> the groups on it
        for group in profile.groups:
            for slot in group.slots:
                for table in (self.written, self.passed) if slot.producer else (self.passed,):
                    table.setdefault(slot.tensor, []).append(group)
        coupled = [
            g.name
            for g in profile.groups
            if g.frozen is None and len({s.tensor for s in g.slots if s.producer}) > 1
        ]
        self.colours = {name: PALETTE[place % len(PALETTE)] for place, name in enumerate(coupled)}

    def node(self, box: Box) -> str:
        """Return one line of DOT."""
        layers = [place.layer for place in box.places if place.layer is not None]
        if layers and all(layer.name in self.ghosts for layer in layers):
            return _ghost(box)
        if box.folded:
            return self._folded(box)
        (place,) = box.places
        if place.layer is None:
            shape = (
                "ellipse"
                if place.label in ("input", "output")
                else "circle"
                if len(place.label) == 1
                else "box"
            )
            small = f'shape={shape} fillcolor="{JOINED}" height=0.25 margin="0.03,0"'
            return f"{quoted(place.name)} [label={quoted(place.label)} {small}];"
        return self._layer(place, place.layer)

    def _groups(self, layer: Layer) -> list[Group]:
        """Return the groups that it produces; a layer that produces none, such as a norm, has those that pass
        through it.
        """
        if layer.weight:
            return self.written.get(layer.weight, [])
        return self.passed.get(f"{layer.name}.weight") or self.passed.get(layer.name, [])

    def _left(self, group: Group) -> int:
        return self.left.get(group.name, group.units)

    def _share(self, groups: Collection[Group]) -> float:
        total = sum(group.units for group in groups)
        return sum(self._left(group) for group in groups) / total if total else 1.0

    def _widths(self, groups: Sequence[Group]) -> str:
        """Return what is left of each group, or of all if there are more than fit into a box."""
        if len(groups) <= SPELLED_OUT:
            return "; ".join(_width(group.units, self._left(group), group.unit) for group in groups)
        return _width(sum(group.units for group in groups), sum(map(self._left, groups)), "channel")

    def _layer(self, place: Place, layer: Layer) -> str:
        groups = self._groups(layer)
        share = self._share(groups)
        widths = self._widths(groups) or " x ".join(map(str, layer.shape))
        norms = "".join(f" + {norm.kind}" for norm in place.also)
        frozen = next((group.frozen for group in groups if group.frozen), None)
        colour = (
            FROZEN
            if frozen
            else next((self.colours[g.name] for g in groups if g.name in self.colours), SINGLE)
        )
        style = "filled,rounded,dashed" if frozen else "filled,rounded"
        label = quoted(f"{place.label}{norms}")[:-1] + "\\n" + quoted(widths)[1:]
        look = f'{self._body(colour, share)} style="{style}"' + (f' color="{INK}"' if frozen else "")
        return f"{quoted(place.name)} [label={label} {look} tooltip={self._told(layer, groups)}];"

    def _told(self, layer: Layer, groups: Collection[Group]) -> str:
        lines = [
            f"{layer.name}: {layer.kind}, {' x '.join(map(str, layer.shape))}, {layer.params:,} parameters"
        ]
        for group in groups:
            if group.frozen:
                lines.append(f"stays whole: {group.frozen}")
                continue
            lines.append(f"group {group.name}: {self._left(group):,} of {group.units:,} {group.unit}s left")
            lines += [f"tied: {why}" for why in group.tied_by[:3]]
        return quoted(". ".join(lines))

    def _folded(self, box: Box) -> str:
        layers = [
            layer for place in box.places if place.layer is not None for layer in (place.layer, *place.also)
        ]
        groups = list(
            {
                g.name: g for layer in layers for g in self.written.get(layer.weight, ()) if g.frozen is None
            }.values()
        )
        share = self._share(groups)
        params = sum(layer.params for layer in layers)
        words = f"{len(layers)} layers, {params:,} parameters" + (
            f", {share:.0%} of units left" if share < 1 else ""
        )
        ghosts = sum(layer.name in self.ghosts for layer in layers)
        words += f", {ghosts} layers removed" if ghosts else ""
        label = (
            quoted(box.name.rpartition(".")[2] if box.module else box.name)[:-1] + "\\n" + quoted(words)[1:]
        )
        coupled = [group for group in groups if group.name in self.colours]
        lines = [f"{box.name}: folded, {len(layers)} layers in {len(groups)} groups"]
        lines += [
            f"coupled group {group.name}: {self._left(group):,} of {group.units:,} {group.unit}s left"
            for group in coupled
        ]
        fill = (
            "".join(f"{colour};{STRIPE}:" for colour in [self.colours[g.name] for g in coupled][:STRIPES])
            + FOLDED
        )
        look = (
            f'{self._body(fill, share)} peripheries=2 margin="0.3,0.04" '
            f'style="{"striped" if coupled else "filled"}"'
        )
        return f"{quoted(box.name)} [label={label} {look} tooltip={quoted('. '.join(lines))}];"

    def _body(self, colour: str, share: float) -> str:
        edge = f' color="{CUT}" penwidth=1.6' if share < 1 else ""
        return f'fillcolor="{colour}" width={NARROWEST + (WIDEST - NARROWEST) * share:.2f}{edge}'


def _ghost(box: Box) -> str:
    """Return one line of DOT for what is removed with its block: an outline in the colour of the lines."""
    name, text = (box.name, box.name) if box.folded else (box.places[0].name, box.places[0].label)
    label = quoted(text)[:-1] + "\\n" + quoted("removed")[1:]
    look = f'style="rounded,dashed" color="{LINE}" fontcolor="{LINE}" width={NARROWEST}'
    return f"{quoted(name)} [label={label} {look} tooltip={quoted(GHOST)}];"


def _width(count: int, left: int, unit: str) -> str:
    units = f"{unit}s" if count != 1 else unit
    return f"{count:,} {units}" if left == count else f"{left:,} of {count:,} {units}"
