"""How much a gentle cut may take of each sample model: `python tests/gentle_cuts.py [MODEL ...]`.

Measures the *Gentle* preset at rising shares of all channels, repaired without training, on the tuning split,
and prints the largest that loses at most one point. With --write it becomes part of the sample's card.
"""

import argparse
import json
from dataclasses import replace

import explorer
from explorer.engine.conditions import Conditions
from explorer.machine import paths
from explorer.registry import SAMPLES
from explorer.ui.prune.presets import GENTLE_CARD, GENTLE_POINTS, PRESETS, follow
from explorer.values.recipe import Recipe

SHARES = (0.10, 0.15, 0.20, 0.25, 0.30, 0.35)


def measured(name: str, samples: int | None) -> dict[float, float]:
    """Share of channels -> points lost, up to the first share that loses too much."""
    model = explorer.analyse(explorer.load(name))
    gentle = next(preset for preset in PRESETS if preset.key == "gentle")
    lost: dict[float, float] = {}
    for share in SHARES:
        preset = replace(gentle, targets={"channel": ("uniform", share)})
        report = explorer.prune(
            model, follow(model, Recipe(), preset, ()), Conditions(samples=samples, latency=False)
        )
        lost[share] = 100 * report.drop.estimate
        low, high = 100 * report.drop.low, 100 * report.drop.high
        print(f"{name}: {share:.0%} loses {lost[share]:.1f} points ({low:.1f} to {high:.1f}),", flush=True)
        if lost[share] > GENTLE_POINTS:
            break
    return lost


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="*", help="all samples if none is named")
    parser.add_argument("--samples", type=int, help="of the tuning split; all if not given")
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    for name in asked.models or SAMPLES:
        fine = [share for share, lost in measured(name, asked.samples).items() if lost <= GENTLE_POINTS]
        print(f"{name}: {max(fine, default=0):.0%}", flush=True)
        if asked.write and fine:
            card = paths.sample_models() / "cards" / f"{name}.json"
            kept = json.loads(card.read_text("utf-8"))
            card.write_text(json.dumps({**kept, GENTLE_CARD: max(fine)}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
