"""The script of families: what cannot be loaded is a row with its reason, and the guide shows its rows."""

from importlib.util import find_spec

import pytest
from language_families import FAMILIES, GUIDE, FamilyRow, row_of, table, write

PROVEN = FamilyRow("llama", "LlamaForCausalLM", {"head": 2}, (), 100, 40, 3e-16, folder="yes")


@pytest.mark.skipif(find_spec("transformers") is None, reason="the extra 'hf' is not installed")
def test_a_family_that_is_not_loaded_is_a_row_that_says_why():
    row = row_of("t5")
    assert "has an encoder and a decoder" in row.trouble and row.difference is None
    assert "| `t5` | T5ForConditionalGeneration |" in table([row]) and "no: 'T5For" in table([row])


def test_rows_go_between_the_marks_of_the_guide(tmp_path):
    page = tmp_path / "models.md"
    page.write_text(GUIDE.read_text(encoding="utf-8"), encoding="utf-8")
    write(table([PROVEN]), page)
    text = page.read_text(encoding="utf-8")
    assert "| `llama` | LlamaForCausalLM | 2 of heads | 100 to 40 | yes, 3e-16 | yes |\n<!-- end -->" in text
    write(table([]), page)
    assert "`llama`" not in page.read_text(encoding="utf-8").partition("<!-- families -->")[2]


def test_the_guide_has_rows_of_known_families_only():
    lines = GUIDE.read_text(encoding="utf-8").partition("<!-- families -->")[2].partition("<!-- end -->")[0]
    names = [line.split("`")[1] for line in lines.splitlines() if line.startswith("| `")]
    assert names and set(names) <= set(FAMILIES) and len(set(names)) == len(names)
