"""Published architectures with random weights: analysed, half of every group cut, and the cut proven.

    python tests/graph/architectures.py --rows rows.jsonl --seconds 600     goes on where it ended
    python tests/graph/architectures.py --rows rows.jsonl --only torchvision:resnet18,timm:eva
    python tests/graph/architectures.py --rows rows.jsonl --table

Small ones come first. Detectors are their backbone and heads: what follows (boxes that are sorted and dropped
by their values) has no weights, and no graph. Rows name the smallest input that a model reads.
"""

import argparse
import json
import os
import re
import resource
import signal
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from explorer.audit.audit import audit
from explorer.graph.analysed import analyse
from explorer.machine.optional_packages import torchvision, uses_torchvision
from explorer.values.subject import Subject

SIDES = (64, 96, 128, 160, 192, 224, 240, 256, 299, 320, 331, 384)
FRAMES = (8, 16)
SECONDS, BYTES = 400, 14 * 2**30  # for one model
TIMM = 110  # families of timm
SMALL = "test femto atto pico nano xx_small xxs tiny micro mini xs small 18 26 _s 050 b0 10 20".split()


@dataclass(frozen=True)
class Architecture:
    """One model: its name, and what makes it on the device that is set."""

    name: str
    make: Callable[[], nn.Module]
    video: bool = False


class Heads(nn.Module):
    """A detector up to its raw answers for each place."""

    def __init__(self, detector: Any):
        super().__init__()
        self.backbone = detector.backbone
        self.head = detector.rpn.head if hasattr(detector, "rpn") else detector.head

    def forward(self, x: Tensor) -> Any:
        return self.head(list(self.backbone(x).values()))


def _torchvision() -> Iterator[Architecture]:
    models = torchvision().models
    for place in (models, models.segmentation, models.video):
        for name in models.list_models(module=place):
            options = (
                {"init_weights": True, "aux_logits": False} if name in ("googlenet", "inception_v3") else {}
            )
            options |= {} if place is not models.segmentation else {"weights_backbone": None}

            def make(name: str = name, options: Any = options) -> nn.Module:
                made: nn.Module = models.get_model(name, weights=None, **options)
                return made

            yield Architecture(f"torchvision:{name}", make, place is models.video)
    for name in models.list_models(module=models.detection):

        def heads(name: str = name) -> nn.Module:
            return Heads(models.get_model(name, weights=None, weights_backbone=None))

        yield Architecture(f"torchvision:{name}", heads)


def _timm() -> Iterator[Architecture]:
    """One small model of each family: names that begin alike."""
    timm = uses_torchvision("timm")
    families: dict[str, list[str]] = {}
    for name in timm.list_models():
        found = re.match(r"[a-z]+", name)
        families.setdefault(found[0] if found else name, []).append(name)
    for names in list(families.values()):
        ranked = sorted(names, key=lambda name: (not any(part in name for part in SMALL), len(name), name))
        sizes = {name: _params(lambda name=name: timm.create_model(name)) for name in ranked[:3]}  # type: ignore[misc]
        name = min(sizes, key=lambda name: sizes[name])

        def make(name: str = name) -> nn.Module:
            made: nn.Module = timm.create_model(name, pretrained=False)
            return made

        yield Architecture(f"timm:{name}", make)


def _params(make: Callable[[], nn.Module]) -> int:
    try:
        with torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return sum(p.numel() for p in make().parameters())
    except Exception:  # it computes while it is made; its size is then not known
        return 10**9


def planned(folder: Path) -> list[tuple[int, Architecture]]:
    """All of them, small ones first; sizes are kept in the folder."""
    kept = folder / "architecture_sizes.json"
    sizes: dict[str, int] = json.loads(kept.read_text()) if kept.exists() else {}
    timm = list(_timm_of(sizes)) if sizes else list(_timm())
    every = [*_torchvision(), *timm]
    for architecture in every:
        if architecture.name not in sizes:
            sizes[architecture.name] = _params(architecture.make)
    kept.write_text(json.dumps(sizes))
    ranked = sorted(((sizes[a.name], a) for a in every), key=lambda item: item[0])
    chosen = [item for item in ranked if item[1].name.startswith("timm:")][:TIMM]
    return [item for item in ranked if not item[1].name.startswith("timm:") or item in chosen]


def _timm_of(sizes: dict[str, int]) -> Iterator[Architecture]:
    timm = uses_torchvision("timm")
    for full in sizes:
        if full.startswith("timm:"):
            name = full.removeprefix("timm:")
            yield Architecture(full, lambda name=name: timm.create_model(name, pretrained=False))  # type: ignore[misc]


# --------------------------------------------------------------------------- one of them


def _example(model: nn.Module, video: bool) -> Tensor:
    """(2, *shape): the smallest input that it reads.

    Raises:
        ValueError: it reads none of them.
    """
    trouble = "it reads no picture"
    generator = torch.Generator().manual_seed(0)
    for side in SIDES:
        for shape in [(3, frames, side, side) for frames in FRAMES] if video else [(3, side, side)]:
            example = torch.randn(2, *shape, generator=generator)
            try:
                with torch.no_grad():
                    model(example)
                return example
            except Exception as error:  # a size that it does not read
                trouble = f"{type(error).__name__}: {str(error)[:150]}"
    raise ValueError(trouble)


def row_of(architecture: Architecture) -> dict[str, Any]:
    """What the program makes of one architecture; `verdict` is "verified", or why not."""
    started = time.perf_counter()
    row: dict[str, Any] = {"name": architecture.name}
    try:
        torch.manual_seed(0)
        model = architecture.make().eval()
        example = _example(model, architecture.video)
        subject = Subject(architecture.name, architecture.name, model, None, example)
        analysed = analyse(subject)
        groups = analysed.profile.groups
        row |= {
            "shape": list(example.shape[1:]),
            "groups": len(groups),
            "free": len(analysed.profile.free_groups),
        }
        row["params"] = analysed.profile.params
        row["frozen"] = Counter(_kind(g.frozen) for g in groups if g.frozen)
        report = audit(analysed, ratio=0.5)
        row |= {"after": report.params_after, "difference": report.max_rel_diff}
        row |= {"control": report.negative_control, "verdict": report.reason or "verified"}
    except Exception as error:  # whatever it is belongs into the table
        row["verdict"] = f"{type(error).__name__}: {' '.join(str(error).split())[:250]}"
    return row | {"seconds": round(time.perf_counter() - started, 1)}


def _kind(reason: str | None) -> str:
    return re.sub(r" in [^ ]+$", "", reason or "")[:90]


def _apart(architecture: Architecture) -> dict[str, Any]:
    """`row_of` in a process of its own, with limits."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
        signal.alarm(SECONDS)
        with os.fdopen(write, "w") as out, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            json.dump(row_of(architecture), out)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as into:
        text = into.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        how = signal.Signals(os.WTERMSIG(status)).name
        return {
            "name": architecture.name,
            "verdict": f"not done within {SECONDS} s or {BYTES >> 30} GiB ({how})",
        }
    row: dict[str, Any] = json.loads(text)
    return row


# --------------------------------------------------------------------------- all of them


def _print(rows: list[dict[str, Any]], waiting: int) -> None:
    verified = [row for row in rows if row["verdict"] == "verified"]
    print(f"{len(verified)} of {len(rows)} verified, {waiting} not tried yet")
    for row in rows:
        size = f"{row.get('params', 0):>12,} -> {row.get('after') or 0:>12,}"
        groups = f"{row.get('free', 0):>4} of {row.get('groups', 0):>4} free"
        shape = "x".join(map(str, row.get("shape", [])))
        print(f"{row['name']:48} {shape:12} {groups} {size}  {row['verdict'][:160]}")
    reasons: Counter[str] = Counter()
    for row in rows:
        reasons.update(row.get("frozen", {}))
    print("why groups are frozen:", *(f"\n{count:7} {why}" for why, count in reasons.most_common(40)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=Path, required=True, help="file of rows, one JSON object a line")
    parser.add_argument("--only", default="", help="names, with commas between")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no model after them")
    parser.add_argument("--table", action="store_true", help="print what is there and end")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = (
        [json.loads(line) for line in options.rows.read_text().splitlines()] if options.rows.exists() else []
    )
    done, only, until = (
        {r["name"] for r in rows},
        set(options.only.split(",")) - {""},
        time.monotonic() + options.seconds,
    )
    waiting = [
        a for _, a in planned(options.rows.parent) if a.name not in done and (not only or a.name in only)
    ]
    for architecture in [] if options.table else list(waiting):
        if time.monotonic() > until:
            break
        rows.append(_apart(architecture))
        waiting.remove(architecture)
        with options.rows.open("a") as file:
            file.write(json.dumps(rows[-1]) + "\n")
    _print(rows, len(waiting))


if __name__ == "__main__":
    main()
