import json
from itertools import islice

import pytest
import torch
from torch import nn

from explorer.measuring import latency
from explorer.measuring.latency import (
    FEWEST_ROUNDS,
    WARM_UP_ROUNDS,
    Timing,
    TimingPlan,
    faster,
    rounds,
    summary,
)
from explorer.values.progress import PAUSE, values_of

EXAMPLE = torch.randn(2, 16, generator=torch.Generator().manual_seed(0))


class Recorder(nn.Module):
    """Notes what it is called with, in a list that copies share."""

    def __init__(self, name: str, calls: list):
        super().__init__()
        self.name, self.calls = name, calls
        self.convolution = nn.Conv2d(3, 4, 3)

    def __deepcopy__(self, memo):
        return Recorder(self.name, self.calls)

    def forward(self, inputs):
        self.calls.append(
            (self.name, inputs, self.training, torch.is_inference_mode_enabled(), self.convolution.weight)
        )
        return inputs


def measure(models, example, plan, device="cpu") -> Timing:
    """All of `rounds`."""
    turns = list(values_of(rounds(models, example, plan, device=device)))
    return Timing({name: tuple(turn[name] for turn in turns) for name in models}, plan.batch, {})


def _record(example, plan):
    calls: list = []
    timing = measure({"dense": Recorder("dense", calls), "pruned": Recorder("pruned", calls)}, example, plan)
    return timing, calls


# --------------------------------------------------------------------------- measuring


def test_models_take_turns_in_alternating_order_after_a_warm_up():
    timing, calls = _record(EXAMPLE, TimingPlan(pairs=6))
    names = [call[0] for call in calls]
    assert names[: 2 * WARM_UP_ROUNDS] == ["dense", "pruned"] * WARM_UP_ROUNDS
    assert names[2 * WARM_UP_ROUNDS :] == ["dense", "pruned", "pruned", "dense"] * 3
    assert {name: len(times) for name, times in timing.times_ms.items()} == {
        "dense": 6,
        "pruned": 6,
    }  # warm-up is not counted


def test_models_run_in_eval_and_inference_mode_with_the_batch_asked_for():
    timing, calls = _record(EXAMPLE, TimingPlan(batch=5, pairs=6))
    assert all(not training and inference for _, _, training, inference, _ in calls)
    assert all(torch.equal(inputs, EXAMPLE[[0, 1, 0, 1, 0]]) for _, inputs, *_ in calls)
    assert timing.latency_ms["dense"]["batch"] == 5


def test_images_are_channels_last_and_the_given_model_keeps_its_layout():
    calls: list = []
    model = Recorder("dense", calls)
    measure({"dense": model}, torch.randn(2, 3, 8, 8), TimingPlan(batch=2, pairs=6))
    _, inputs, *_, weight = calls[0]
    assert inputs.is_contiguous(memory_format=torch.channels_last)
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert model.convolution.weight.is_contiguous()


def test_the_given_model_stays_as_it_is():
    model = nn.Sequential(nn.Linear(16, 16), nn.BatchNorm1d(16)).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    measure({"model": model}, EXAMPLE, TimingPlan(batch=4, pairs=6))
    assert model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_the_budget_ends_it_but_not_before_a_verdict_is_possible():
    timing, calls = _record(EXAMPLE, TimingPlan(pairs=1000, budget_s=0.0))
    assert len(timing.times_ms["dense"]) == FEWEST_ROUNDS
    assert len(calls) == 2 * (1 + FEWEST_ROUNDS)  # one round of warm-up


def test_it_can_be_left_between_two_rounds():
    calls: list = []
    running = rounds({"dense": Recorder("dense", calls)}, EXAMPLE, TimingPlan(pairs=1000))
    assert len([*islice(running, 6)]) == 6
    assert len(calls) == 6


def test_as_a_generator_it_tells_warm_up_from_rounds():
    steps = list(rounds({"model": nn.Linear(16, 16)}, EXAMPLE, TimingPlan(pairs=7)))
    assert steps[:WARM_UP_ROUNDS] == [PAUSE] * WARM_UP_ROUNDS
    assert len(steps) == WARM_UP_ROUNDS + 7
    assert all(step.value["model"] > 0 for step in steps[WARM_UP_ROUNDS:])


def test_it_can_pause_after_each_forward_without_changing_the_rounds():
    models = {"a": nn.Linear(16, 16), "b": nn.Linear(16, 8)}
    steps = list(rounds(models, EXAMPLE, TimingPlan(pairs=6), pauses=True))
    assert [set(turn) for turn in values_of(steps)] == [{"a", "b"}] * 6
    assert len(steps) == (WARM_UP_ROUNDS + 6) * (2 + 1)


def test_fifty_times_the_work_is_slower():
    wide = nn.Sequential(*(nn.Linear(768, 768) for _ in range(8)))
    narrow = nn.Sequential(nn.Linear(768, 64), nn.Linear(64, 768))
    timing = measure({"dense": wide, "pruned": narrow}, torch.randn(2, 768), TimingPlan(batch=64, pairs=10))
    verdict = faster(timing.times_ms["dense"], timing.times_ms["pruned"])
    assert verdict.verdict == "faster"
    assert verdict.ratio > 2


# --------------------------------------------------------------------------- summaries and verdicts


def test_median_and_percentiles_by_hand():
    assert summary([float(i) for i in range(11)]) == pytest.approx({"median": 5.0, "p10": 1.0, "p90": 9.0})
    timing = Timing({"dense": (3.0, 1.0, 2.0)}, 8, {})
    assert timing.latency_ms == {"dense": pytest.approx({"median": 2.0, "p10": 1.2, "p90": 2.8, "batch": 8})}


def _noise(seed: int, rounds: int = 30) -> list[float]:
    return (
        1 + 0.1 * torch.rand(rounds, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    ).tolist()


def test_clear_differences_are_found_in_both_directions():
    slow, fast = [2 * t for t in _noise(0)], _noise(1)
    assert faster(slow, fast).verdict == "faster"
    assert faster(fast, slow).verdict == "slower"
    assert faster(slow, fast).ratio == pytest.approx(2, rel=0.05)
    assert faster(slow, fast).low < 2.05 and faster(slow, fast).high > 1.95


def test_noise_is_not_distinguishable_most_of_the_time():
    verdicts = [faster(_noise(2 * seed), _noise(2 * seed + 1)).verdict for seed in range(200)]
    assert verdicts.count("not distinguishable") >= 0.9 * 200  # 95 % by construction


def test_ratios_within_rounds_see_through_a_drift():
    drift = [1 + 0.1 * i for i in range(30)]  # the machine becomes four times slower meanwhile
    dense = [1.05 * d * t for d, t in zip(drift, [1 + 0.01 * t for t in _noise(5)], strict=True)]
    pruned = [d * t for d, t in zip(drift, [1 + 0.01 * t for t in _noise(6)], strict=True)]
    assert faster(dense, pruned).verdict == "faster"
    shuffled = [pruned[i] for i in torch.randperm(30, generator=torch.Generator().manual_seed(0)).tolist()]
    assert faster(dense, shuffled).verdict == "not distinguishable"  # negative control: pairs torn apart


def test_the_verdict_travels_as_json():
    verdict = faster([2.0] * 6, [1.0] * 6).to_json()
    assert json.loads(json.dumps(verdict)) == {"ratio": 2.0, "low": 2.0, "high": 2.0, "verdict": "faster"}


def test_fewer_than_six_rounds_are_not_distinguishable():
    assert faster([2.0] * 5, [1.0] * 5).verdict == "not distinguishable"
    assert faster([2.0] * 6, [1.0] * 6).verdict == "faster"


def test_the_same_times_give_the_same_interval():
    assert faster(_noise(0), _noise(1)) == faster(_noise(0), _noise(1))


@pytest.mark.parametrize(("dense", "pruned"), [([], []), ([1.0], [1.0, 2.0])])
def test_times_must_come_in_pairs(dense, pruned):
    with pytest.raises(ValueError, match="must come in pairs"):
        faster(dense, pruned)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_times_include_the_work_and_not_just_its_launch():
    big = nn.Sequential(*(nn.Linear(8192, 8192) for _ in range(8)))
    timing = measure(
        {"big": big, "small": nn.Linear(8192, 8)},
        torch.randn(1, 8192),
        TimingPlan(batch=4096, pairs=10),
        device="cuda",
    )
    assert latency.faster(timing.times_ms["big"], timing.times_ms["small"]).ratio > 10
