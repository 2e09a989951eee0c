"""In which texts is a neuron most active? Its strongest positions in windows of a split, for all units of a
group at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import ExplorerError
from ..graph.analysed import Analysed
from ..metrics.checks import IGNORED
from ..signals.watching import silent, watch
from ..values.profile import Group, Layer, ModelProfile, Slot
from ..values.progress import Step, Work
from ..values.samples import Split
from ..values.text import TextForm

KEPT = 8  # windows of a unit
WINDOWS = 512  # looked at, at most
BATCH = 8
BEFORE, AFTER = 16, 8  # tokens shown around the one that counts


@dataclass(frozen=True)
class Context:
    """A place in a text where a unit is active.

    Args:
        window: number of the sample in the split. position: of the token in it.
        value: the activation there, with its sign.
        before, token, after: texts.
    """

    window: int
    position: int
    value: float
    before: str
    token: str
    after: str


@dataclass(frozen=True, eq=False)
class TopContexts:
    """The strongest position of each of the strongest windows, for every unit of a group.

    Args:
        group: its name. reader: the layer that reads the units, as whose inputs they are measured.
        windows: looked at so far. total: to look at.
        positions: tokens looked at so far.
        numbers, places, values: (units, up to KEPT) window, position in it, and activation, the largest
            magnitude first.
    """

    group: str
    reader: str
    windows: int
    total: int
    positions: int
    numbers: Tensor
    places: Tensor
    values: Tensor

    @property
    def finished(self) -> bool:
        return self.windows == self.total


def reader_of(profile: ModelProfile, group: Group) -> tuple[Layer, Slot] | None:
    """Return the first layer that multiplies the units of a group, each at one position; None if there is
    none, as for heads.
    """
    layers = {layer.weight: layer for layer in profile.prunable_layers.values() if layer.kind == "linear"}
    for slot in group.slots:
        layer = layers.get(slot.tensor)
        if layer is not None and not slot.producer and slot.dim == layer.input_dim:
            own = slot.units[slot.units >= 0]
            return (layer, slot) if len(own) == group.units else None
    return None


def top_contexts(model: Analysed, group: Group, device: str = "cpu") -> Work[TopContexts]:
    """Yield a TopContexts after each batch of windows of the tuning split.

    The activation of a unit is what the next layer reads of it, after its activation function and gate.
    Positions behind the end of a text do not count.

    Raises:
        ExplorerError: the model came without text, or no layer reads the units one by one.
    """
    split, form = _data(model)
    reader = reader_of(model.profile, group)
    if reader is None:
        raise ExplorerError(
            f"No layer reads the {group.unit}s of {group.name!r} one by one; choose neurons of a perceptron."
        )
    (layer, slot), watched = reader, watch(model, device)
    order = torch.full((group.units,), -1).scatter(
        0, slot.units[slot.units >= 0], (slot.units >= 0).nonzero().flatten()
    )
    seen: list[Tensor] = []

    def on_input(name: str, values: Tensor) -> None:
        if name == layer.name:
            seen.append(values.detach()[..., order.to(values.device)].float().cpu())

    best = _Best(group.units)
    total, batch = min(WINDOWS, len(split)), watched.batch or BATCH
    for start in range(0, total, batch):
        tokens, counts = _batch(split, form, start, min(start + batch, total))
        run = _whole(tokens, watched.batch)
        seen.clear()
        with torch.no_grad():
            watched.run(run.to(device), on_input, silent)
        best.add(start, _activations(seen, run, layer)[: len(tokens)], counts)
        yield Step(best.contexts(group.name, layer.name, min(start + batch, total), total))


def _data(model: Analysed) -> tuple[Split, TextForm]:
    task = model.subject.task
    split = task.split("tuning") if task is not None else None
    if split is None or not len(split) or model.subject.text is None or len(model.subject.reads) > 1:
        raise ExplorerError(
            f"{model.subject.name!r} came without text that it reads alone; name a text with --data, such as "
            "text:FOLDER."
        )
    return split, model.subject.text


def _batch(split: Split, form: TextForm, start: int, stop: int) -> tuple[Tensor, Tensor]:
    """Return (n, tokens) windows, and which positions are of the text."""
    tokens = split.inputs_at(start, stop)
    counts = torch.ones(tokens.shape, dtype=torch.bool)
    if form.answers == "next" and split.targets is not None:
        asked = split.targets_at(start, stop)[0] != IGNORED  # behind the last one, a window is filled
        counts = asked.flip(1).cummax(1).values.flip(1)
    return tokens, counts


def _whole(tokens: Tensor, batch: int | None) -> Tensor:
    """Return as many windows as the graph takes."""
    return tokens if not batch else torch.cat([tokens, tokens[-1:].expand(batch - len(tokens), -1)])


def _activations(seen: Sequence[Tensor], run: Tensor, layer: Layer) -> Tensor:
    """Return (n, tokens, units) of the first call of the layer, which may read the tokens of all windows as
    one row.

    Args:
        run: the windows that were run, (n, tokens).
    """
    values = seen[0] if seen else torch.zeros(0)
    if values.shape[:-1] in (run.shape, (run.numel(),)):
        return values.reshape(*run.shape, -1)
    raise ExplorerError(  # a router, for one, sends some tokens only
        f"What {layer.name!r} reads cannot be told by token; choose a part that reads every token."
    )


class _Best:
    """Keeps the strongest windows of each unit."""

    def __init__(self, units: int) -> None:
        self.numbers, self.places = (torch.zeros(units, 0, dtype=torch.int64) for _ in range(2))
        self.values, self.positions = torch.zeros(units, 0), 0

    def add(self, first: int, values: Tensor, counts: Tensor) -> None:
        """Take the strongest position of each window.

        Args:
            first: number of the first window. values: (n, tokens, units). counts: (n, tokens) bool.
        """
        strength = values.abs().masked_fill(~counts[..., None], -1.0)
        places = strength.argmax(1)  # (n, units)
        numbers = torch.arange(first, first + len(values))[:, None].expand_as(places)
        peaks = values.gather(1, places[:, None])[:, 0]
        peaks = torch.where(counts.any(1)[:, None], peaks, 0.0)
        joined = torch.cat([self.values, peaks.T], 1)
        order = joined.abs().argsort(dim=1, descending=True, stable=True)[:, :KEPT]
        self.numbers = torch.cat([self.numbers, numbers.T], 1).gather(1, order)
        self.places = torch.cat([self.places, places.T], 1).gather(1, order)
        self.values = joined.gather(1, order)
        self.positions += int(counts.sum())

    def contexts(self, group: str, reader: str, windows: int, total: int) -> TopContexts:
        return TopContexts(
            group, reader, windows, total, self.positions, self.numbers, self.places, self.values
        )


def contexts_of(top: TopContexts, unit: int, split: Split, form: TextForm) -> tuple[Context, ...]:
    """Return the contexts of one unit as text, the strongest first, without windows in which it is zero."""
    rows = zip(*(table[unit].tolist() for table in (top.numbers, top.places, top.values)), strict=True)
    return tuple(_context(split, form, *row) for row in rows if row[2])


def _context(split: Split, form: TextForm, window: int, position: int, value: float) -> Context:
    tokens = split.inputs_at(window, window + 1)[0].tolist()
    before = [token for token in tokens[max(0, position - BEFORE) : position] if token not in form.start]
    after = tokens[position + 1 : position + 1 + AFTER]
    texts = (form.decode(part) if part else "" for part in (before, [tokens[position]], after))
    return Context(window, position, value, *texts)
