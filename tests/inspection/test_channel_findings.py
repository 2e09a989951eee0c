"""Idle and twin channels, activation maps, heads and filters: hand-made cases, plain loops, and shipped
models.
"""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from explorer.errors import ExplorerError
from explorer.graph.analysed import Analysed
from explorer.graph.export import graph_of
from explorer.inspection.activation_maps import activation_maps, filter_images, head_maps
from explorer.inspection.channel_findings import Idle, Twins, idle, twins, unit_weights
from explorer.loaders.model_text import load
from explorer.values.progress import outcome
from explorer.values.samples import Split
from explorer.values.subject import Normalisation, Subject, Task


class Half(nn.Module):
    """Channel 1 of the first layer is never positive; channels 0 and 2 are made by weights in one
    direction.
    """

    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(1, 4, 3, padding=1), nn.Linear(4, 2)
        with torch.no_grad():
            self.conv.weight[2] = 3 * self.conv.weight[0]
            self.conv.weight[3] = -self.conv.weight[0]
            self.conv.weight[1] = 0
            self.conv.bias.copy_(torch.tensor([0.5, -1.0, 0.5, 0.5]))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(torch.relu(self.conv(x)).mean((2, 3)))


@pytest.fixture(scope="module")
def half():
    torch.manual_seed(0)
    inputs = torch.randn(40, 1, 6, 6)
    split = Split(inputs, torch.zeros(40, dtype=torch.long))
    task = Task("t", (1, 6, 6), ("a", "b"), lambda name: split, Normalisation(), fingerprint="t")
    subject = Subject("half", "half", Half().eval(), task, torch.randn(2, 1, 6, 6))
    return subject, graph_of(subject)


def test_a_channel_that_never_answers_is_found_and_the_samples_are_told(half):
    steps = list(idle(Analysed(*half)))
    assert steps[-1].value == Idle({"conv": (1,)}, 40) and not any(step.value for step in steps[:-1])


def test_without_training_data_nothing_is_said_about_idle_channels(half):
    subject, graph = half
    with pytest.raises(ExplorerError, match="no training data"):
        outcome(idle(Analysed(replace(subject, task=None), graph)))


def test_twins_point_the_same_way_and_opposites_or_zeros_are_none(half):
    subject, graph = half
    rows = unit_weights(subject, graph.profile, graph.profile.free_groups["conv"])
    assert rows.shape == (4, 9)
    assert twins(rows) == (Twins(0, 2, 1.0),)
    assert twins(torch.zeros(3, 0)) == () and twins(torch.zeros(3, 2)) == ()


def test_similarity_agrees_with_a_plain_loop():
    rows = torch.randn(12, 5, generator=torch.Generator().manual_seed(0))
    similarity = {(pair.first, pair.second): pair.similarity for pair in twins(rows, 0.3)}
    for i in range(12):
        for j in range(i + 1, 12):
            cosine = float(torch.nn.functional.cosine_similarity(rows[i], rows[j], dim=0))
            assert ((i, j) in similarity) == (cosine >= 0.3)
            if (i, j) in similarity:
                assert similarity[i, j] == pytest.approx(cosine, abs=1e-5)
    values = [pair.similarity for pair in twins(rows, 0.3)]
    assert values == sorted(values, reverse=True)


def test_a_unit_is_made_by_all_layers_that_produce_it():
    subject = load("shapes-resnet")
    profile = graph_of(subject).profile
    group = profile.free_groups["conv1"]
    rows = unit_weights(subject, profile, group)
    made = [subject.model.get_parameter(slot.tensor) for slot in group.slots if slot.producer]
    assert len(made) == 4 and torch.equal(rows, torch.cat([weight.detach().flatten(1) for weight in made], 1))


def test_maps_are_the_activations_behind_the_norm_and_the_activation_function(half):
    subject, graph = half
    sample = subject.task.split("tuning").inputs[3]
    maps = activation_maps(Analysed(subject, graph), graph.profile.prunable_layers["conv"], sample)
    with torch.no_grad():
        expected = torch.relu(subject.model.conv(sample[None]))[0]
    assert torch.allclose(maps, expected, atol=1e-6) and float(maps[1].abs().max()) == 0
    assert activation_maps(Analysed(subject, graph), graph.profile.prunable_layers["fc"], sample) is None


def test_heads_look_where_a_plain_computation_says():
    subject = load("shapes-vit")
    graph, seen = graph_of(subject), []
    group = next(group for group in graph.profile.free_groups.values() if group.is_of_heads)
    sample = subject.example[0]
    maps = head_maps(Analysed(subject, graph), group, sample)
    attention = subject.model.layers[0].attention
    handle = attention.qkv.register_forward_hook(lambda module, args, output: seen.append(output))
    try:
        with torch.no_grad():
            subject.model(sample[None])
    finally:
        handle.remove()
    tokens, width = seen[0].shape[1], seen[0].shape[2] // 3
    query, key, _ = seen[0].view(1, tokens, 3, group.units, width // group.units).permute(2, 0, 3, 1, 4)
    weights = (query @ key.transpose(-2, -1) / (width // group.units) ** 0.5).softmax(-1)[0].mean(1)
    assert maps.shape == (4, 4, 4) and torch.allclose(maps.flatten(1), weights[:, 1:], atol=1e-5)
    channels = next(group for group in graph.profile.free_groups.values() if group.unit == "channel")
    assert head_maps(Analysed(subject, graph), channels, sample) is None


def test_filters_become_pictures_with_zero_in_the_middle():
    weight = torch.zeros(2, 3, 3, 3)
    weight[0, 0, 0, 0], weight[0, 1, 1, 1] = 2.0, -1.0
    images = filter_images(weight)
    assert images.shape == (2, 3, 3, 3)
    assert images[0, 0, 0].tolist() == [1, 0.5, 0.5] and images[0, 1, 1].tolist() == [0.5, 0.25, 0.5]
    assert filter_images(torch.ones(4, 1, 3, 3)).shape == (4, 3, 3)
    assert filter_images(torch.ones(4, 8, 3, 3)) is None and filter_images(torch.ones(4, 3)) is None
    assert filter_images(torch.ones(4, 3, 1, 1)) is None
