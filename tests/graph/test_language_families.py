"""Families of transformers: cut, proven, and alike at three lengths; what cannot be loaded is a row with its
reason, and the guide shows its rows.
"""

from dataclasses import replace
from importlib.util import find_spec

import pytest
from language_families import (
    FAMILIES,
    GUIDE,
    LENGTHS,
    SHARED,
    Family,
    FamilyRow,
    distance,
    half_of,
    inputs_of,
    opened,
    row_of,
    table,
    write,
)
from rows import some

from explorer.compaction.compact import compact
from explorer.lessons.experiment import masked_by_hand
from explorer.pruning.decision import decide
from explorer.values.choice import Choice
from explorer.values.profile import HEADS

PROVEN = FamilyRow(
    "llama", "LlamaForCausalLM", {"head": 2}, (), 100, 40, 3e-16, 2e-8, True, folder={"head": "yes"}
)
NEAR = 1e-5  # of the largest answer, in float32
needs_transformers = pytest.mark.skipif(
    find_spec("transformers") is None, reason="the extra 'hf' is not installed"
)


@needs_transformers
@pytest.mark.parametrize("name", some(FAMILIES, 14))
def test_a_family_is_cut_proven_and_alike_at_three_lengths(name):
    row = row_of(name, exported=False)
    assert row.trouble == "" and row.left < row.params and row.difference < 1e-8
    assert row.at_lengths is None if name in ("vit", "whisper-encoder") else row.at_lengths < NEAR


@needs_transformers
def test_other_units_give_other_answers_at_every_length(tmp_path):
    model = opened("llama", tmp_path)
    recipe = half_of(model, (*HEADS, "neuron"))
    small = compact(model, decide(model, replace(recipe, criterion=Choice("random"))).masks)
    own = masked_by_hand(model, recipe, everywhere=True)
    assert distance(own, small, inputs_of(model, LENGTHS[1])) > 1e-2


@needs_transformers
def test_a_family_that_is_not_loaded_is_a_row_that_says_why(monkeypatch):
    few = Family("LlamaForCausalLM", "LlamaConfig", SHARED | {"max_position_embeddings": 8})
    monkeypatch.setitem(FAMILIES, "short", few)
    row = row_of("short")
    assert "Windows of 12 tokens are longer" in row.trouble and row.difference is None
    assert "| `short` | LlamaForCausalLM |" in table([row]) and "no: Windows" in table([row])


def test_rows_go_between_the_marks_of_the_guide(tmp_path):
    page = tmp_path / "models.md"
    page.write_text(GUIDE.read_text(encoding="utf-8"), encoding="utf-8")
    write(table([PROVEN]), page)
    text = page.read_text(encoding="utf-8")
    assert "| 2 of heads | 100 to 40 | yes, 3e-16 | 2e-08, one model | heads |\n<!-- end -->" in text
    write(table([]), page)
    assert "`llama`" not in page.read_text(encoding="utf-8").partition("<!-- families -->")[2]


def test_the_guide_has_rows_of_known_families_only():
    lines = GUIDE.read_text(encoding="utf-8").partition("<!-- families -->")[2].partition("<!-- end -->")[0]
    names = [line.split("`")[1] for line in lines.splitlines() if line.startswith("| `")]
    assert names and set(names) <= set(FAMILIES) and len(set(names)) == len(names)
