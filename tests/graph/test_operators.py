"""A sample of torch's own list of operators; `operators.py` takes all of them.

An operator between two layers is cut and proven, or stays for a reason that holds: then no channel can be
taken from what it reads without a change of what it gives.
"""

import pytest
from operators import operators, row_of, rows_of
from removable import removable
from rows import some

from explorer.graph.rules.call import RULES

FREE = (
    "abs add addmm atan2 cat clamp diff fliplr floor_divide masked_fill rsub where "
    "nn.functional.bilinear nn.functional.cosine_similarity nn.functional.softplus"
).split()
MIXED = (
    "cumsum diagonal index_reduce.mean matmul sort squeeze nn.functional.glu "
    "nn.functional.interpolate.linear tensor_split linalg.qr linalg.inv linalg.ldl_factor matrix_exp "
    "cholesky_solve nn.functional.adaptive_avg_pool1d nn.functional.adaptive_avg_pool3d "
    "nn.functional.channel_shuffle nn.functional.scaled_dot_product_attention native_layer_norm"
).split()


@pytest.fixture(scope="module")
def by_name():
    return {op.full_name: op for op in operators()}


@pytest.mark.parametrize("name", some([*FREE, *MIXED], 4))
def test_an_operator_is_cut_and_proven_or_stays_with_reason(name, by_name):
    rows = rows_of(by_name[name], 3)
    kinds = {row["kind"] for row in rows}
    assert "WRONG" not in kinds, [row for row in rows if row["kind"] == "WRONG"]
    assert all(row["why"] for row in rows if row["kind"] in ("frozen", "over-frozen", "no graph")), rows
    assert kinds == {"free"} if name in FREE else kinds - {"no case"}, rows


def test_a_wrong_rule_is_found(by_name, monkeypatch):
    monkeypatch.setitem(RULES, "flip", lambda call: call.args[0].arrays)
    assert "WRONG" in {row["kind"] for row in rows_of(by_name["flip"], 6)}


def test_what_could_be_cut_is_found_without_any_rule(by_name, monkeypatch):
    from operator_models import cases_of, model_of

    case = next(iter(cases_of(by_name["abs"], 1)))
    assert removable(model_of(case), case) == "the same of dimension 1"
    case = next(c for c in cases_of(by_name["cumsum"], 6) if c.layout == "channels")
    assert removable(model_of(case), case) is None
    monkeypatch.delitem(RULES, "hardswish")
    rows = [row_of(one) for one in cases_of(by_name["nn.functional.hardswish"], 1)]
    assert [row["kind"] for row in rows] == ["free"]  # torch writes it as operators that have rules
