"""Gives every layer that lost inputs the weights that best restore the dense layer's outputs.

Layer by layer in the order of the graph: a layer reads the outputs of the repaired layers before it, and
should give the dense layer's output; between the two is a linear problem with a closed form. No label is read
and nothing is trained. Norms are adapted to the shift and the spread that their inputs have now.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, fx

from ..graph.analysed import Analysed
from ..pruning.masks import positions
from ..values.profile import Masks
from .behind_blocks import readers_behind
from .columns import output_rows
from .contractions import Contraction, attribute, contractions
from .dense_targets import DenseTargets
from .layer_solution import Solution, Use, applied, is_thinned, solution_of
from .lockstep import Lockstep
from .lost_inputs import lost_weights
from .norm_statistics import is_recalibrated, move_statistics
from .trail import RepairPlace, RepairTrail

SHARED_STEPS = (1.0, 0.5, 0.25)


@dataclass(frozen=True)
class Repaired:
    """What was done.

    Args:
        layers: weights that were solved for.
        norms: norms that were recalibrated.
        kept: weights that lost inputs but were not changed, since no change helps on held-back samples.
        unsolved: weights that lost inputs and are used in a way that has no closed form.
    """

    layers: tuple[str, ...] = ()
    norms: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    unsolved: tuple[str, ...] = ()


def repair_notes(done: Repaired, samples: int) -> tuple[str, ...]:
    """Return what was done, in words."""
    if not (done.layers or done.kept or done.unsolved):
        return ("No layer lost inputs or weights, so least squares changed nothing.",)
    words = "No layer could be fitted by least squares."
    if done.layers:
        norms = f"; {_counted(len(done.norms), 'norm')} recalibrated" if done.norms else ""
        layers = _counted(len(done.layers), "layer")
        words = f"{layers} fitted by least squares on {samples:,} training samples{norms}."
    kept = _unchanged(done.kept, "no change helps on held-back samples")
    unsolved = _unchanged(done.unsolved, "there is no closed form")
    return (f"{words}{kept}{unsolved}",)


def _counted(count: int, what: str) -> str:
    """
    >>> _counted(1, "layer"), _counted(2, "norm")
    ('1 layer', '2 norms')
    """
    return f"{count:,} {what}{'s' * (count != 1)}"


def _unchanged(names: Sequence[str], why: str) -> str:
    """Return which layers stay as they are, in words; "" for none."""
    if not names:
        return ""
    more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
    verb = "stay as they are" if more else "stays as it is"
    return f" {names[0]!r}{more} lost inputs or weights and {verb}: {why}."


@dataclass(eq=False)
class LeastSquares:
    """One repair, which changes `small` step by step.

    Args:
        model, masks: what was cut.
        small, dense: the smaller model and the same without a cut; only `small` is changed.
        batches: of training inputs, normalised; at least one.
        trail: takes the places of this repair.
    """

    model: Analysed
    masks: Masks
    small: fx.GraphModule
    dense: fx.GraphModule
    batches: Sequence[Tensor]
    trail: RepairTrail | None = None
    done: list[str] = field(default_factory=list)
    norms: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.walk = Lockstep(self.small, self.batches)
        self.targets = DenseTargets(self.model, self.masks, self.small, self.dense, self.batches)
        self.uses: dict[int, list[Contraction]] = {}
        for one in contractions(self.small):
            self.uses.setdefault(id(self.small.get_parameter(one.weight)), []).append(one)
        self.dense_groups = {one.weight: one.form.groups for one in contractions(self.dense)}
        self.weight_masks = _masks_left(self.model, self.masks)
        self.lone_norms = _lone_norms(self.small)
        self.behind = readers_behind(self.model, self.masks, self.small)

    def run(self) -> Iterator[str]:
        """Repair the model; yields the name of each layer after it is done."""
        first = {uses[0].node: uses for uses in self.uses.values()}
        for node in self.walk.nodes[self.walk.place :]:
            uses = first.get(node.name)
            if uses and (self._lost(uses[0]) or any(use.node in self.behind for use in uses)):
                self._mark(node)
                self._solve(uses)
                yield uses[0].weight
            elif node.name in self.lone_norms:
                self._recalibrate(node)
                yield str(node.target)

    def resume(self, mark: RepairPlace) -> None:
        """Begin at a place of another repair, whose cut was the same up to there."""
        with torch.no_grad():
            for name, tensor in mark.changed.items():
                attribute(self.small, name).copy_(tensor)
        for walk, kept in ((self.walk, mark.small), (self.targets.walk, mark.dense)):
            walk.back(kept)
            walk.renew()
        for names, known in zip((self.done, self.norms, self.kept), mark.done, strict=True):
            names.extend(known)

    def _mark(self, node: fx.Node) -> None:
        if self.trail is None:
            return
        self.walk.before(node.name)
        walks = self.walk.kept(), self.targets.walk.kept()
        done = tuple(self.done), tuple(self.norms), tuple(self.kept)
        self.trail.add(RepairPlace(self.walk.place, *walks, self._changed(), done))

    def _changed(self) -> dict[str, Tensor]:
        """What the repair has written so far; what it wrote before the last place is that place's tensor."""
        known = self.trail.marks[-1].changed if self.trail and self.trail.marks else {}
        leaves = [f"{name}.{leaf}" for name in self.norms for leaf in ("running_mean", "running_var")]
        biases = [one.bias for uses in self.uses.values() for one in uses if one.weight in self.done]
        names = [*self.done, *(name for name in biases if name), *leaves]
        return {name: known[name] if name in known else _copy(self.small, name) for name in names}

    @property
    def result(self) -> Repaired:
        """Return what was done so far."""
        lost = lost_weights(self.model, self.masks, self.small)
        seen = {id(attribute(self.small, name)) for name in (*self.done, *self.kept)}
        unsolved = [name for name in lost if id(attribute(self.small, name)) not in seen]
        return Repaired(tuple(self.done), tuple(self.norms), tuple(self.kept), tuple(unsolved))

    def _lost(self, one: Contraction) -> bool:
        """Whether it has fewer inputs than the dense layer, or some of its single weights are zero."""
        before, now = (attribute(model, one.weight).shape for model in (self.dense, self.small))
        dim = 0 if one.form.kind in ("matrix", "transposed") else 1
        split = one.form.groups if one.form.kind == "transposed" else 1
        had = before[0] // self._dense_groups(one) if split > 1 else before[dim]
        return bool(had != now[dim] // split) or one.weight in self.weight_masks

    def _dense_groups(self, one: Contraction) -> int:
        return self.dense_groups.get(one.weight, 1)

    # ---------------------------------------------------------------- layers

    def _solve(self, contractions: Sequence[Contraction]) -> None:
        uses, one = self._uses(contractions), contractions[0]
        if not uses:
            return
        solution = solution_of(self.small, uses, self.weight_masks.get(one.weight))
        if solution is None:
            self.kept.append(one.weight)
            return
        before = _copied(self.small, one, solution)
        # the inputs of later uses of a shared weight change with it, so a whole step may be too long
        for share in SHARED_STEPS if len(uses) > 1 else (1.0,):
            applied(self.small, one, solution, share)
            if self._is_better(uses):
                self.done.append(one.weight)
                return
            for name, tensor in before.items():
                attribute(self.small, name).data.copy_(tensor)
        self.kept.append(one.weight)

    def _uses(self, contractions: Sequence[Contraction]) -> list[Use]:
        """Return all uses of one weight; between them the walk continues with the current weights, and then
        goes back.

        None of them if one has no closed form.
        """
        walks, uses = (self.walk, self.targets.walk), []
        self.walk.before(contractions[0].node)
        start = [walk.kept() for walk in walks] if len(contractions) > 1 else []
        for one in contractions:
            use = self._use(one)
            if use is None:
                return []
            uses.append(use)
        for walk, place in zip(walks if start else (), start, strict=True):
            walk.back(place)
        return uses

    def _is_better(self, uses: Sequence[Use]) -> bool:
        """Whether no more is missing with the present weights than before.

        For one layer of which all rows were used that is certain; if its rows were thinned, it is measured
        over all of them, and for layers that share a weight, with their current inputs.
        """
        if len(uses) > 1:
            now = self._uses([use.contraction for use in uses])
            return sum(map(_squares, now)) <= sum(map(_squares, uses))
        return not is_thinned(uses[0]) or self._is_better_everywhere(uses[0])

    def _use(self, one: Contraction) -> Use | None:
        self.walk.before(one.node)
        inputs = [held[one.source] for held in self.walk.values]
        if one.form.kernel and inputs[0].dim() != len(one.form.kernel) + 2:
            return None
        wanted = self.targets.of(one.node) if self.targets.fits(one.node) else None
        if wanted is None:
            return None
        missing = [target - now for target, now in zip(wanted, self.walk.tried(one.node), strict=True)]
        return Use(one, inputs, missing, one.bias is not None or self._is_shifted_back(one.node))

    def _is_shifted_back(self, name: str) -> bool:
        """Whether it is read only by norms that remove any shift."""
        users = self.walk.nodes[self.walk.places[name]].users
        return bool(users) and all(user.name in self.lone_norms for user in users)

    def _is_better_everywhere(self, use: Use) -> bool:
        """Whether it is better over all rows; if so, the walk continues with the layer's new output."""
        name = use.contraction.node
        wanted, now = self.targets.of(name), self.walk.tried(name)
        assert wanted is not None
        left = [target - value for target, value in zip(wanted, now, strict=True)]
        if _squares(replace(use, missing=left)) > _squares(use):
            return False
        self.walk.step_over(name, now)
        return True

    # ---------------------------------------------------------------- norms

    def _recalibrate(self, node: fx.Node) -> None:
        self.walk.before(node.name)
        source = node.args[0]
        assert isinstance(source, fx.Node)
        before = self.targets.read_by(node.name)
        if before is None:
            return
        now = [held[source.name] for held in self.walk.values]
        move_statistics(self.small.get_submodule(str(node.target)), now, before)
        self.norms.append(str(node.target))


def _squares(use: Use) -> float:
    """Return the squares of all outputs, minus the means if a shift costs nothing."""
    rows = [output_rows(use.contraction.form, one) for one in use.missing]
    total = sum(float(one.square().sum(dtype=torch.double)) for one in rows)
    if use.free:
        means = torch.stack([one.sum(1, dtype=torch.double) for one in rows]).sum(0)
        total -= float(means.square().sum()) / sum(one.shape[1] for one in rows)
    return total


def _copy(model: fx.GraphModule, name: str) -> Tensor:
    return attribute(model, name).detach().clone()


def _copied(model: fx.GraphModule, one: Contraction, solution: Solution) -> dict[str, Tensor]:
    return {name: _copy(model, name) for name in (one.weight, *solution.biases)}


def _lone_norms(model: fx.GraphModule) -> set[str]:
    """Return the nodes of norms that are called once and keep statistics."""
    calls: dict[str, list[str]] = {}
    for node in model.graph.nodes:
        if node.op == "call_module" and is_recalibrated(model.get_submodule(str(node.target))):
            calls.setdefault(str(node.target), []).append(node.name)
    return {names[0] for names in calls.values() if len(names) == 1}


def _masks_left(model: Analysed, masks: Masks) -> dict[str, Tensor]:
    """Return each weight's mask in the shape that it has after the cut, under every name that it has."""
    cut = positions(model.profile, masks.channels)
    left: dict[str, Tensor] = {}
    parameters = dict(model.subject.model.named_parameters(remove_duplicate=False))
    for layer, mask in masks.weights.items():
        weight = model.profile.prunable_layers[layer].weight
        for dim, line in cut.get(weight, {}).items():
            mask = mask.index_select(dim, line.nonzero().flatten())
        if not bool(mask.all()):
            left |= {name: mask for name, tensor in parameters.items() if tensor is parameters[weight]}
    return left
