"""Functions of whole matrices, the last two dimensions: batches of them pass, rows and columns are frozen."""

from typing import Any

from torch import Tensor

from ..labels import Labelled, lifted, varying
from .call import Arrays, Call, freeze, freeze_all, labelled, name_of, only, rule, split_off
from .elementwise import meet

FUNCTIONS = (
    "cholesky cholesky_inverse cholesky_solve geqrf inverse logdet slogdet lu_solve lu_unpack matrix_exp "
    "linalg_matrix_exp linalg_cholesky linalg_cholesky_ex linalg_det _linalg_det linalg_eig linalg_eigh "
    "_linalg_eigh linalg_eigvals linalg_eigvalsh linalg_householder_product linalg_inv linalg_inv_ex "
    "linalg_ldl_factor linalg_ldl_factor_ex linalg_ldl_solve linalg_lu linalg_lu_factor linalg_lu_factor_ex "
    "linalg_lu_solve linalg_matrix_power linalg_matrix_rank linalg_pinv linalg_qr linalg_slogdet "
    "_linalg_slogdet linalg_solve linalg_solve_ex _linalg_solve_ex linalg_solve_triangular linalg_svd "
    "_linalg_svd linalg_svdvals linalg_lstsq matrix_power orgqr ormqr pinverse qr svd triangular_solve "
    "_lu_with_info tril triu"
).split()
RIGHT_SIDES = {  # operand with right sides, whose columns are processed one by one
    "cholesky_solve": 0,
    "lu_solve": 0,
    "triangular_solve": 0,
    "linalg_solve": 1,
    "linalg_solve_ex": 1,
    "_linalg_solve_ex": 1,
    "linalg_solve_triangular": 1,
    "linalg_lu_solve": 2,
}


@rule(*FUNCTIONS)
def matrices(call: Call) -> Any:
    """Handle (..., m, n): each matrix is processed alone, with those that it meets."""
    operands = labelled([call.args, call.kwargs])
    rank = max(len(value.shape) for value in operands)
    columns = _columns(call, rank)
    if columns is not None:
        return columns if isinstance(call.out, Tensor) else [columns, *(() for _ in list(call.out)[1:])]
    if any(len(value.shape) < rank for value in operands):  # vectors next to matrices, such as pivots
        freeze_all(call, f"goes through {name_of(call)} in {call.where}")
        return () if isinstance(call.out, Tensor) else [() for _ in call.out]
    kept = [_batches(call, value) for value in operands]
    met = meet(call.ties, kept, f"worked on together in {call.where}") if len(kept) > 1 else kept[0].arrays
    lines = [a for a in met if varying(a)]
    outputs = [call.out] if isinstance(call.out, Tensor) else list(call.out)
    arrays = [tuple(_fitted(a, rank, o) for a in lines if _fits(a, rank, o)) for o in outputs]
    return arrays[0] if isinstance(call.out, Tensor) else arrays


def _columns(call: Call, rank: int) -> Arrays | None:
    """Return the columns of right sides, for which the same matrix is solved, each alone; None for other
    operands.

    What they meet in the call is frozen: units are not rows of the matrix.
    """
    place = RIGHT_SIDES.get(name_of(call))
    if place is None or place >= len(call.args) or not call.kwargs.get("left", True):
        return None
    right: Labelled = call.args[place]
    others = [value for value in labelled([call.args, call.kwargs]) if value is not right]
    free = _free_of(right, others, rank)
    if len(right.shape) != rank or not all(varying(array) <= free for array in right.arrays):
        return None
    for value in others:
        freeze(call, value, f"goes through {name_of(call)} in {call.where}")
    return tuple(array for array in right.arrays if varying(array))


def _free_of(right: Labelled, others: list[Labelled], rank: int) -> set[int]:
    """Return the columns, and the batch dimensions in which there is one matrix for all."""
    single = {
        dim
        for dim in range(rank - 2)
        if all(dim - rank + len(v.shape) < 0 or v.shape[dim - rank] == 1 for v in others)
    }
    return {rank - 1, *single}


def _batches(call: Call, value: Labelled) -> Labelled:
    """Return the batches; everything that varies along a row or a column is frozen."""
    rank = len(value.shape)
    rows = {rank - 2, rank - 1}
    why = f"goes through {name_of(call)} as rows or columns of matrices in {call.where}"
    return Labelled(value.meta, only(call, value, lambda dims: not dims & rows, why), value.parameter)


def _fits(array: Tensor, rank: int, out: Any) -> bool:
    """Whether the batch of matrices also leads in the output, whatever is left of a matrix."""
    lead = rank - 2
    return isinstance(out, Tensor) and out.dim() >= lead and max(varying(array)) < lead


def _fitted(array: Tensor, rank: int, out: Tensor) -> Tensor:
    lead = array.shape[: rank - 2]
    return array.reshape(*lead, *(1,) * (out.dim() - len(lead)))


def _lifted(value: Labelled, rank: int) -> Labelled:
    """Add leading dimensions of extent 1, as in broadcasting."""
    meta = value.meta.reshape((1,) * (rank - value.meta.dim()) + value.shape)
    return Labelled(meta, tuple(lifted(array, rank) for array in value.arrays), value.parameter)


@rule("cdist", "_cdist_forward")
def distances(call: Call) -> Arrays:
    """Handle (..., p, m) and (..., r, m) -> (..., p, r): the dimension of the distance is tied."""
    rank, why = max(len(value.shape) for value in call.args[:2]), f"compared in {call.where}"
    compared, points, batches = [], [], []
    for given in call.args[:2]:
        value = _lifted(given, rank)
        own, rest = split_off(call, value, rank - 1, why)
        compared.append(Labelled(value.meta.narrow(-2, 0, 1), own))
        lines, batch = split_off(call, rest, rank - 2, why)
        points.append(lines)
        batches.append(batch)
    meet(call.ties, compared, why)
    columns = tuple(array.transpose(-1, -2) for array in points[1])
    return (*meet(call.ties, batches, why), *points[0], *columns)
