"""A table that reads tokens and also gives their scores."""

import torch
from torch import nn

from explorer.graph.analysed import analyse
from explorer.pruning.decision import decide
from explorer.values.choice import Choice
from explorer.values.identity import subject_id
from explorer.values.inputs import InputPart
from explorer.values.recipe import Recipe
from explorer.values.samples import Split
from explorer.values.subject import Normalisation, Subject, Task


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.hidden = nn.Embedding(10, 6), nn.Linear(6, 6)

    def forward(self, tokens):
        return nn.functional.linear(self.hidden(self.table(tokens)), self.table.weight)


def test_it_is_rated_by_its_look_ups_although_it_gives_scores_too():
    torch.manual_seed(0)
    model, tokens = Tied().eval(), torch.randint(5, (16, 4))
    splits = dict.fromkeys(("training", "tuning"), Split(tokens, tokens))
    task = Task("t", (4,), data=splits, normalisation=Normalisation(whole=True), metric="perplexity")
    reads = (InputPart("tokens", (4,), "int64", 10),)
    subject = Subject(subject_id(model), "tied", model, task, tokens[:2], reads=reads)
    recipe = Recipe(weights={"table": 0.5}, criterion=Choice("wanda"))
    kept = decide(analyse(subject), recipe).masks.weights["table"]
    assert kept.shape == (10, 6) and float(kept.float().mean()) == 0.5
