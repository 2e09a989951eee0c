"""Every operator of torch's own list between two layers: cut and proven, or frozen, and then with reason.

python tests/graph/operators.py --rows rows.jsonl            all of them; can be stopped and goes on
python tests/graph/operators.py --rows rows.jsonl --only mean,nn.functional.glu
python tests/graph/operators.py --rows rows.jsonl --table    the table of what is there
"""

import argparse
import contextlib
import copy
import json
import os
import re
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import torch
from operator_models import Between, Case, cases_of, example, model_of
from removable import removable
from torch import Tensor

from explorer.audit.audit import audit
from explorer.engine.candidate import prepare
from explorer.exporters.architecture import describe
from explorer.exporters.load_pruned import PrunedModel
from explorer.graph.analysed import analyse
from explorer.values.recipe import Recipe
from explorer.values.subject import Subject

CLOSE = 1e-4
SECONDS = 300  # for all cases of one operator
EXACT = 1e-8  # in float64
NUMBERS = count()  # each case is a model of its own, though weights may be equal
# they read a width that stays that of the dense model: a scale, a rank, a dimension of three, groups, a half
OTHERWISE = "dot_product_attention", "lowrank", "cross", "channel_shuffle", "masked.", "fftshift"
KINDS = ("free", "frozen", "over-frozen", "no graph", "WRONG")


@contextlib.contextmanager
def standard_error() -> Iterator[list[str]]:
    """What is written to standard error meanwhile, by compiled code too."""
    lines: list[str] = []
    with tempfile.TemporaryFile("w+") as file:
        sys.stderr.flush()
        before = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("always")
                yield lines
        finally:
            sys.stderr.flush()
            os.dup2(before, 2)
            os.close(before)
            file.seek(0)
            lines.append(file.read().strip())


def row_of(case: Case) -> dict[str, Any]:
    """What the program makes of one case: `kind` is one of KINDS, `why` says more."""
    started = time.perf_counter()
    try:
        with standard_error() as noise, warnings.catch_warnings():
            for own in _warnings(case):
                warnings.filterwarnings("ignore", message=re.escape(own[:20]))
            verdict = _judged(case)
    except Exception as error:  # whatever it is, it is a fault of the program
        if os.environ.get("TRACE"):
            traceback.print_exc()
        line = (str(error).splitlines() or [""])[0][:200]
        verdict = {"kind": "WRONG", "why": f"crash: {type(error).__name__}: {line}"}
    if noise and noise[0] and verdict["kind"] != "WRONG":
        verdict |= {"kind": "WRONG", "why": f"writes to standard error: {noise[0][:400]}"}
    return {
        "op": case.name,
        "case": case.text(),
        **verdict,
        "seconds": round(time.perf_counter() - started, 2),
    }


def _warnings(case: Case) -> set[str]:
    """What the operator itself says to whoever calls it, which a user may see."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        model_of(case)(example(case))
    return {str(one.message) for one in found}


def _judged(case: Case) -> dict[str, Any]:
    model = model_of(case)
    x = example(case)
    subject = Subject(f"{next(NUMBERS)} {case.name}", case.name, model, None, x)
    analysed = analyse(subject)
    profile = analysed.profile
    if profile.error:
        return {"kind": "no graph", "why": profile.error, "way": removable(model, case)}
    reasons = sorted({g.frozen for g in profile.groups if g.frozen and g.name.startswith("before")})
    free = [g for g in profile.free_groups.values() if g.name.startswith("before")]
    if not free:
        way = removable(model, case)
        why = "; ".join(reasons) or "no group of the layer is listed"
        elsewhere = way is not None and " of dimension " in way and not _is_read(way, model, case)
        return {"kind": "over-frozen" if way and not elsewhere else "frozen", "why": why, "way": way}
    report = audit(analysed)
    unproven = "do not vary" in str(report.reason)  # a norm of one number gives the same for all inputs
    if not unproven and (report.max_rel_diff is None or not report.max_rel_diff < EXACT):
        return {"kind": "WRONG", "why": f"not verified: {report.reason}"}
    small: Any = prepare(analysed, Recipe(channels={g.name: 0.5 for g in free})).model
    problem = _against_own_code(model, small, case) or _against_description(small, case)
    if problem:
        return {"kind": "WRONG", "why": problem}
    return {"kind": "free", "why": "; ".join(reasons), "units": {g.name: g.units for g in free}}


def _is_read(way: str, model: Between, case: Case) -> bool:
    """The next layer reads the dimension that loses channels; else they are outputs of the model."""
    with torch.no_grad():
        rank = model.given(example(case)).dim()
    return int(way.split(" of dimension ")[1].split()[0]) == (1 if case.layout == "channels" else rank - 1)


def _answers(model: Any, x: Tensor) -> Tensor:
    torch.manual_seed(3)
    with torch.no_grad():
        return model(x)


def _differ(a: Tensor, b: Tensor) -> float:
    if a.shape != b.shape:
        return float("inf")
    return float((a - b).abs().max() / b.abs().max().clamp(min=1e-6))


def _against_own_code(model: Between, small: Any, case: Case) -> str | None:
    """The model's own code on the tensors that are left; where it fixes a size it does not run, and says
    nothing.
    """
    if any(name in case.name for name in OTHERWISE):
        return None
    own, x = copy.deepcopy(model), example(case, 3)
    for name, tensor in small.state_dict().items():
        path, _, leaf = name.rpartition(".")
        owner = own.get_submodule(path)
        (owner._parameters if leaf in owner._parameters else owner._buffers)[leaf] = tensor.clone()
    try:
        expected = _answers(own, x)
    except Exception:  # a size in its code
        return None
    difference = _differ(_answers(small, x), expected)
    return f"the model's own code differs by {difference:.1e}" if not difference < CLOSE else None


def _against_description(small: Any, case: Case) -> str | None:
    x = example(case)
    weights = {name: tensor.detach() for name, tensor in small.state_dict().items()}
    about = json.loads(json.dumps(describe(small)))
    for name in about["tensors"]:
        weights.setdefault(name, small.get_buffer(name) if name not in weights else weights[name])
    difference = _differ(_answers(PrunedModel(about, weights).eval(), x), _answers(small, x))
    return f"load_pruned differs by {difference:.1e}" if not difference < 1e-5 else None


# --------------------------------------------------------------------------- the whole list


def operators() -> list[Any]:
    """Torch's list, of those that take fractions."""
    from torch.testing._internal.common_methods_invocations import op_db

    able = [op for op in op_db if torch.float32 in op.supported_dtypes("cpu")]
    return [op for op in able if "empty" not in op.name]  # what was in memory is no answer


def rows_of(op: Any, most: int) -> list[dict[str, Any]]:
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        try:
            cases = list(cases_of(op, most))
        except Exception as error:  # its samples need what this machine has not
            return [{"op": op.full_name, "kind": "no case", "why": f"{type(error).__name__}: {error}"[:200]}]
    return [row_of(case) for case in cases] or [{"op": op.full_name, "kind": "no case", "why": ""}]


def _apart(op: Any, most: int) -> list[dict[str, Any]]:
    """`rows_of` in a process of its own: torch itself crashes on some calls, and some never end."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)
        with os.fdopen(write, "w") as out:
            json.dump(rows_of(op, most), out)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as into:
        told_rows = into.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        why = f"the process ends with {signal.Signals(os.WTERMSIG(status)).name}"
        return [{"op": op.full_name, "kind": "no case", "why": why}]
    rows: list[dict[str, Any]] = json.loads(told_rows)
    return rows


def _table(rows: list[dict[str, Any]]) -> None:
    """One verdict an operator, that of its worst case; then what is left."""
    rank = {kind: place for place, kind in enumerate(("no case", *KINDS))}
    worst: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row["op"] not in worst or rank[row["kind"]] > rank[worst[row["op"]]["kind"]]:
            worst[row["op"]] = row
    print("operators:", dict(Counter(row["kind"] for row in worst.values())), "of", len(worst))
    print("cases:    ", dict(Counter(row["kind"] for row in rows)), "of", len(rows))
    for kind in ("WRONG", "no graph", "over-frozen"):
        for row in rows:
            if row["kind"] == kind:
                print(
                    f"{kind:12} {row['op']:40} {row.get('case', ''):34} {row['why'][:150]} [{row.get('way')}]"
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=Path, required=True, help="file of rows, one JSON object a line")
    parser.add_argument("--only", default="", help="names of operators, with commas between")
    parser.add_argument("--most", type=int, default=6, help="cases an operator")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no operator after them")
    parser.add_argument("--table", action="store_true", help="print what is there and end")
    options = parser.parse_args()
    torch.set_num_threads(1)
    before = (
        [json.loads(line) for line in options.rows.read_text().splitlines()] if options.rows.exists() else []
    )
    done = {row["op"] for row in before}
    only = set(options.only.split(",")) - {""}
    until = time.monotonic() + options.seconds
    with options.rows.open("a") as file:
        for op in [] if options.table else operators():
            if time.monotonic() > until or op.full_name in done or (only and op.full_name not in only):
                continue
            for row in _apart(op, options.most):
                before.append(row)
                file.write(json.dumps(row) + "\n")
                file.flush()
    _table(before)


if __name__ == "__main__":
    main()
