"""Loads a weights file into a model whose architecture is known. Nothing in such a file is run.

Names, shapes and types are compared before any tensor is read, so no file makes the program read more than
the model has.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ..errors import LoadError
from .refolding import Fold, foldings, pieces_of
from .weight_files import UNREADABLE, WHOLE_FILE, Form, Weights, damaged, open_weights

SAME = "only weights of the same architecture fit; choose the model that they were trained for."
LONGEST_SHAPE = 80  # characters of a shape that is quoted
LONGEST_NAME = 1000  # characters of a tensor's name
COUNTER = (
    "num_batches_tracked"  # of batch norms: older files lack it, and nothing that is measured here needs it
)


@dataclass(frozen=True)
class Fit:
    """How the tensors of a file become those of a model.

    Args:
        forms: name in the model -> what the file says about it.
        names: name in the model -> name in the file, if it is stored as it is.
        folds: name in the model -> the pieces of the file that form it.
        left_out: names of the file that belong to something around the model.
    """

    forms: Mapping[str, Form]
    names: Mapping[str, str]
    folds: Mapping[str, Fold]
    left_out: tuple[str, ...] = ()


def _listed(names: list[str]) -> str:
    return ", ".join(repr(name[:80]) for name in names[:3]) + (
        f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    )


def tensors_of(model: nn.Module) -> dict[str, Tensor]:
    """Return the tensors of a model's state by name, a shared one under each of its names."""
    return {
        name: value for name, value in model.state_dict(keep_vars=True).items() if isinstance(value, Tensor)
    }


def _missing(expected: Mapping[str, Tensor], found: Mapping[str, Form]) -> list[str]:
    """Return the names that the file lacks; a tensor that the model has under two names is needed once."""
    there = {id(tensor) for name, tensor in expected.items() if name in found}
    return [
        name for name, tensor in expected.items() if id(tensor) not in there and not name.endswith(COUNTER)
    ]


def _shortened(shape: tuple[int, ...]) -> str:
    """Return a shape as text; a file may claim one of a hundred thousand dimensions."""
    text = str(shape)
    return text if len(text) <= LONGEST_SHAPE else f"{text[:LONGEST_SHAPE]}... of {len(shape):,} dimensions"


def _is_number(form: Form, tensor: Tensor) -> bool:
    """Whether the types match: floats of any width fit floats; whole numbers and booleans must be equal."""
    is_float, is_complex = form.dtype.startswith(("F", "BF")), form.dtype.startswith("C")
    return is_float == tensor.is_floating_point() and is_complex == tensor.is_complex()


def check_forms(forms: Mapping[str, Form], model: nn.Module, source: str) -> None:
    """Check that the file has exactly the tensors of the model, in their shapes, as numbers of the same kind.

    Raises:
        LoadError: tensors are missing, unexpected, of another shape or kind; the message names the first few
            of each.
    """
    expected = tensors_of(model)
    wrong = []
    if missing := _missing(expected, forms):
        wrong.append(f"{source!r} lacks {_listed(missing)}")
    if unexpected := [name for name in forms if name not in expected]:
        wrong.append(f"{source!r} has {_listed(unexpected)}, which the model has not")
    both = [(name, forms[name], expected[name]) for name in expected if name in forms]
    misshapen = [
        (name, form.shape, tuple(tensor.shape))
        for name, form, tensor in both
        if form.shape != tuple(tensor.shape)
    ]
    if misshapen:
        name, shape, wanted = misshapen[0]
        more = f" (and {len(misshapen) - 1:,} more have other shapes)" if len(misshapen) > 1 else ""
        wrong.append(f"{name!r} in {source!r} has shape {_shortened(shape)} instead of {wanted}{more}")
    if other := [name for name, form, tensor in both if not _is_number(form, tensor)]:
        wrong.append(
            f"{source!r} holds {_listed(other)} as {forms[other[0]].dtype}, not as numbers of the model's "
            "kind"
        )
    if wrong:
        raise LoadError(f"{'; '.join(wrong)}; {SAME}")


def fit(given: Mapping[str, Form], model: nn.Module, source: str) -> Fit:
    """Match the tensors of a file to the model's names, without prefixes that training programs add and with
    stored pieces combined.

    Raises:
        LoadError: there are weights for several such models.
    """
    expected = tensors_of(model)
    prefix = _prefix(given, expected, source)
    own = {name.removeprefix(prefix): name for name in given if name.startswith(prefix)}
    folds = foldings(own, expected)
    pieces = {piece for fold in folds.values() for piece in fold.names}
    names = {name: stored for name, stored in own.items() if name not in pieces}
    inner = {
        name: Fold(tuple(own[piece] for piece in fold.names), fold.make, own[fold.shaped])
        for name, fold in folds.items()
    }
    forms = {name: given[stored] for name, stored in names.items()}
    forms |= {name: given[fold.shaped] for name, fold in inner.items()}
    return Fit(forms, names, inner, tuple(name for name in given if not name.startswith(prefix)))


def _prefix(given: Iterable[str], expected: Iterable[str], source: str) -> str:
    """Return the prefix of the model's names in the file, such as "model.", or "" if they fit as they are.

    Raises:
        LoadError: several fit alike, so there are weights for several such models.
    """
    wanted = set(expected)
    wanted |= {piece for name in wanted for piece in pieces_of(name)}
    counts: dict[str, int] = {}
    for name in given:
        if len(name) > LONGEST_NAME:
            continue
        start, rest = "", name
        while rest not in wanted and "." in rest:
            first, _, rest = rest.partition(".")
            start += f"{first}."
        if rest in wanted:
            counts[start] = counts.get(start, 0) + 1
    most = max(counts.values(), default=0)
    best = [start for start, count in counts.items() if count == most]
    if len(best) > 1 and "" not in best:
        listed = " and ".join(repr(start[:80]) for start in best[:3])
        way = f"write one of them with 'pruning-explorer convert --key {best[0].rstrip('.')[:80]}'"
        raise LoadError(f"{source!r} holds weights for this model under {listed}; {way}.")
    return "" if "" in best else next(iter(best), "")


def read_fitting(path: Path, model: nn.Module, source: str | None = None) -> dict[str, Tensor]:
    """Return the tensors of a file that fits a model, mapped from the disk.

    Args:
        source: what to call the file in errors (default: its name).
    Raises:
        LoadError: no such file, one that is damaged or of another kind, or not weights of this model.
    """
    chosen = _fitting(path, model, source or path.name)[0]
    return _read(*chosen, path, source or path.name, model)


def _fitting(path: Path, model: nn.Module, source: str) -> list[tuple[Weights, Fit]]:
    """Return the weights in a file that fit, the likeliest first; there is at least one."""
    refused: LoadError | None = None
    chosen = []
    for weights in open_weights(path, source):
        try:
            found = fit(weights.forms, model, source)
            check_forms(found.forms, model, source)
            chosen.append((weights, found))
        except LoadError as error:
            refused = refused or error
    if not chosen:
        assert refused is not None
        raise refused
    return chosen


def _read(weights: Weights, matched: Fit, path: Path, source: str, model: nn.Module) -> dict[str, Tensor]:
    pieces = [piece for fold in matched.folds.values() for piece in fold.names]
    try:
        tensors = weights.read([*matched.names.values(), *pieces])
        weights_of = {name: tensors[stored] for name, stored in matched.names.items()}
        for name, fold in matched.folds.items():
            weights_of[name] = fold.make(*(tensors[piece] for piece in fold.names))
    except UNREADABLE as error:
        raise LoadError(damaged(source, path)) from error
    _check_shared(weights_of, model, source)
    return weights_of


def _check_shared(weights: Mapping[str, Tensor], model: nn.Module, source: str) -> None:
    """Refuse two different tensors for one that the model has under two names: the last would win.

    Raises:
        LoadError: there are such.
    """
    first: dict[int, str] = {}
    for name, tensor in tensors_of(model).items():
        one = first.setdefault(id(tensor), name) if name in weights else name
        if one != name and not _are_equal(weights[one], weights[name]):
            raise LoadError(
                f"{source!r} holds other numbers as {one[:80]!r} than as {name[:80]!r}, but the model shares "
                f"one tensor for both; {SAME}"
            )


def _are_equal(one: Tensor, other: Tensor) -> bool:
    return torch.equal(one, other) or torch.equal(one.nan_to_num(), other.nan_to_num())


def load_weights(model: nn.Module, path: str | Path) -> str:
    """Fill a freshly built model from a file; floats of another width become the model's.

    Returns: a description of where in the file they were and what was left out; "" if there is nothing to
    say.
    Raises:
        LoadError: the file is missing or damaged, or does not fit the model.
    """
    place = Path(path)
    (weights, fit), *others = _fitting(place, model, place.name)
    fill(model, _read(weights, fit, place, place.name, model))
    more = [other.place for other, _ in others if other.place != WHOLE_FILE]
    fit_too = f"; {_listed(more)} would fit, too" if more else ""
    where = f" (those of {weights.place!r}{fit_too})" if weights.place else ""
    pieces = " with masks or norms folded in" if fit.folds else ""
    left = f" without {_listed(list(fit.left_out))}" if fit.left_out else ""
    return where + pieces + left


def fill(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy tensors that `read_fitting` has checked into the model."""
    with torch.no_grad():
        model.load_state_dict(weights, strict=False)
