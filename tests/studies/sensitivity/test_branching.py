"""A part that branches off the dense graph gives the outputs of the compact model, on every odd model."""

from dataclasses import replace

import pytest
import torch
from rows import some
from torch import Tensor, nn
from zoo import IMAGE, ZOO, odd

from explorer.compaction.compact import compact
from explorer.graph.analysed import Analysed
from explorer.graph.detours import can_start_anywhere, detour, functional, output_node, working_nodes
from explorer.graph.export import graph_of
from explorer.measuring.memory_layout import laid_out
from explorer.pruning.decision import decide
from explorer.studies.sensitivity.branching import Branches, touched_tensors
from explorer.studies.sensitivity.graph_pieces import Workshop
from explorer.values.identity import subject_id
from explorer.values.recipe import Recipe
from explorer.values.subject import Subject

RATIOS = (0.3, 0.5, 0.9)


def subject_of(model: nn.Module, shape: tuple[int, ...] = IMAGE) -> Subject:
    return Subject(subject_id(model.eval()), type(model).__name__, model, None, torch.randn(2, *shape))


def batch(subject: Subject, samples: int = 5) -> Tensor:
    inputs = torch.randn(samples, *subject.example.shape[1:], generator=torch.Generator().manual_seed(1))
    return inputs.contiguous(memory_format=torch.channels_last) if inputs.dim() == 4 else inputs


def branches(subject: Subject, granularity: str) -> Branches:
    graph = graph_of(subject)

    def masks(part, ratio):
        return decide(Analysed(subject, graph), Recipe().with_ratios(granularity, {part: ratio})).masks

    return Branches(
        Workshop(Analysed(subject, graph), "cpu"), touched_tensors(graph, granularity), masks, len(RATIOS)
    )


def compact_logits(subject: Subject, granularity: str, part: str, ratio: float, inputs: Tensor) -> Tensor:
    graph = graph_of(subject)
    masks = decide(Analysed(subject, graph), Recipe().with_ratios(granularity, {part: ratio})).masks
    with torch.inference_mode():
        return laid_out(compact(Analysed(subject, graph), masks), "cpu")(inputs)


def alike(a: Tensor, b: Tensor) -> bool:
    """Up to the last bits, which depend on where in memory a matrix lies."""
    return torch.allclose(a, b, rtol=1e-5, atol=1e-6)


def walked(
    runner: Branches, parts: list[str], ratios: tuple[float, ...], inputs: Tensor
) -> dict[tuple[str, float], Tensor]:
    return {
        (part, ratio): logits
        for part, found in runner.walk(inputs, dict.fromkeys(parts, ratios))
        for ratio, logits in found
    }


@pytest.mark.parametrize("granularity", ["channel", "weight"])
@pytest.mark.parametrize("name", some(ZOO, 2))
def test_each_branch_is_the_compact_model(name, granularity):
    subject = odd(name)
    runner, inputs = branches(subject, granularity), batch(subject)
    parts = list(touched_tensors(graph_of(subject), granularity))
    before = {key: tensor.clone() for key, tensor in subject.model.state_dict().items()}
    for ratio in RATIOS:  # one at a time: nothing is stacked
        for (part, _), logits in walked(runner, parts, (ratio,), inputs).items():
            assert alike(logits, compact_logits(subject, granularity, part, ratio, inputs)), part
    for (part, ratio), logits in walked(runner, parts, RATIOS, inputs).items():
        assert alike(logits, compact_logits(subject, granularity, part, ratio, inputs)), part
    assert all(torch.equal(before[key], tensor) for key, tensor in subject.model.state_dict().items())


def test_another_ratio_or_part_is_another_model():
    """The negative control of the agreement above."""
    subject = odd("chain")
    inputs = batch(subject)
    found = walked(branches(subject, "channel"), ["conv1"], (0.5,), inputs)["conv1", 0.5]
    assert not alike(found, compact_logits(subject, "channel", "conv1", 0.3, inputs))
    assert not alike(found, compact_logits(subject, "channel", "conv2", 0.5, inputs))


def test_only_what_lies_downstream_runs_again():
    graph = graph_of(odd("chain"))

    def names(nodes):
        return [str(node.target).split(".")[1] for node in nodes]

    first = detour(graph, {"conv1.weight"})
    assert names(first.head) == ["conv2d"] and len(first.tail) == len(working_nodes(graph)) - 1
    last = detour(graph, {"fc.weight"})
    assert names(last.head) == ["linear"] and last.tail == () and last.joints == (output_node(graph),)
    group = detour(graph, *touched_tensors(graph, "channel")["conv1"])
    assert names(group.head) == ["conv2d", "batch_norm", "relu", "conv2d"] and names(group.tail) == [
        "relu",
        "flatten",
        "linear",
    ]


def test_a_tied_group_runs_from_its_first_layer_to_its_last():
    graph = graph_of(odd("residual"))
    group = detour(graph, *touched_tensors(graph, "channel")["stem"])
    assert group.tail == () and len(group.head) == len(working_nodes(graph))
    inner = detour(graph, *touched_tensors(graph, "channel")["a"])
    assert 0 < len(inner.head) < len(inner.head) + len(inner.tail) < len(working_nodes(graph))


def test_dense_values_are_let_go():
    subject = odd("chain")
    runner = branches(subject, "weight")
    inputs, held = batch(subject), []
    go_on = runner._go_on
    runner._go_on = lambda index, values: (go_on(index, values), held.append(len(values)))
    walked(runner, ["conv1", "conv2", "fc"], (0.5,), inputs)
    assert held == [1, 1, 1]


class InPlace(nn.Module):
    """Written as torchvision writes: ReLUs in place, and additions in place."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.a, self.b, self.fc = (
            nn.Conv2d(3, 8, 1),
            nn.Conv2d(8, 8, 1),
            nn.Conv2d(8, 8, 1),
            nn.Linear(8, 4),
        )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.stem(x))
        y = self.b(self.relu(self.a(x)))
        y += x
        return self.fc(self.relu(y).mean((2, 3)))


class WritesIntoWhatIsReadLater(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.a, self.fc = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 1), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        y = self.a(x)
        x.relu_()
        return self.fc((x + y).mean((2, 3)))


@pytest.mark.parametrize(("model", "is_open"), [(InPlace, True), (WritesIntoWhatIsReadLater, False)])
@pytest.mark.parametrize("granularity", ["channel", "weight"])
def test_operators_that_write_into_their_inputs_spoil_nothing(model, is_open, granularity):
    subject = subject_of(model())
    graph, inputs = graph_of(subject), batch(subject)
    assert can_start_anywhere(graph) == is_open
    runner, kept = branches(subject, granularity), inputs.clone()
    for _ in range(2):
        for (part, ratio), logits in walked(
            runner, list(touched_tensors(graph, granularity)), RATIOS, inputs
        ).items():
            assert alike(logits, compact_logits(subject, granularity, part, ratio, inputs)), part
    assert torch.equal(inputs, kept)


def test_functional_operators():
    aten = torch.ops.aten
    assert (
        functional(aten.relu_.default) is aten.relu.default
        and functional(aten.add_.Tensor) is aten.add.Tensor
    )
    assert (
        functional(aten.relu.default) is aten.relu.default
        and functional(aten.copy_.default) is not aten.copy_.default
    )


class TokensFirst(nn.Module):
    """The batch is the second dimension inside, so samples cannot be stacked there."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.fc = nn.Linear(5, 6), nn.Linear(6, 6), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x).transpose(0, 1)
        return self.fc(torch.relu(self.b(x)).mean(0))


class MixesSamples(nn.Module):
    """Each output depends on the whole batch: stacking would change it, which the first run must notice."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.fc = nn.Linear(7, 6), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.a(x))
        return self.fc(x - x.mean(0, keepdim=True))


@pytest.mark.parametrize(("model", "shape"), [(TokensFirst, (6, 5)), (MixesSamples, (7,))])
def test_what_cannot_be_stacked_runs_one_by_one(model, shape):
    subject = subject_of(model(), shape)
    inputs, runner = batch(subject), branches(subject, "weight")
    for (part, ratio), logits in walked(runner, ["a", "fc"], RATIOS, inputs).items():
        assert alike(logits, compact_logits(subject, "weight", part, ratio, inputs)), part
    assert not runner._branches["a"]._stackable


def test_a_part_that_cannot_change_the_output_gives_none():
    class Unused(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(7, 6), nn.Linear(7, 4)

        def forward(self, x: Tensor) -> Tensor:
            self.a(x)
            return self.b(x)

    subject = subject_of(Unused(), (7,))
    outputs = walked(
        branches(subject, "weight"),
        list(touched_tensors(graph_of(subject), "weight")),
        (0.5,),
        batch(subject),
    )
    assert outputs["b", 0.5] is not None and all(
        logits is None for (part, _), logits in outputs.items() if part != "b"
    )


def test_heads_that_are_too_large_to_keep_are_made_again(monkeypatch):
    subject = replace(odd("chain"), id="made again")
    runner, inputs = branches(subject, "weight"), batch(subject)
    runner._keep_heads = False
    first, second = (walked(runner, ["conv1"], RATIOS, inputs) for _ in range(2))
    assert runner._heads == {} and all(torch.equal(first[key], second[key]) for key in first)
