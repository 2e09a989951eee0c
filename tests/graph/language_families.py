"""Families of transformers, small and with random weights: loaded from a folder, half of every group cut, and
the cut proven.

    python tests/graph/language_families.py                    every family, as rows of the guide's table
    python tests/graph/language_families.py --only llama,gpt2  some of them
    python tests/graph/language_families.py --write            into the guide

Nothing is downloaded: each model is built from its configuration and saved into a folder of its own, which is
loaded like any other (hf:FOLDER). A cut model counts as proven if the audit says so: it answers like the
masked model in float64, and a wrong wiring does not. Models that read tokens are compared at three lengths
with the own code of transformers as well, in which what is cut is set to zero.
"""

import argparse
import re
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from explorer.audit.audit import audit
from explorer.compaction.compact import compact
from explorer.errors import ExplorerError
from explorer.exporters.export import export
from explorer.exporters.input_sizes import sized
from explorer.exporters.load_pruned import holds
from explorer.graph.analysed import Analysed, analyse
from explorer.lessons.experiment import masked_by_hand
from explorer.loaders.foreign_forward import led
from explorer.loaders.model_text import load
from explorer.machine.optional_packages import uses_torchvision
from explorer.pruning.decision import decide
from explorer.values.profile import HEADS as HEAD_KINDS
from explorer.values.profile import Group
from explorer.values.recipe import Recipe
from explorer.values.subject import Subject

GUIDE = Path(__file__).parents[2] / "explorer" / "guide" / "models.md"
MARKS = "<!-- families -->\n", "<!-- end -->"
WIDTH, LAYERS, HEADS, INNER, TOKENS = 32, 2, 4, 48, 12
LENGTHS = (5, TOKENS, 24)  # fewer tokens than a window, a window, and as many as there are positions
TEXT = {
    "vocab_size": 96,
    "hidden_size": WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "intermediate_size": INNER,
    "max_position_embeddings": 24,
}
SHARED = TEXT | {"num_key_value_heads": 2}
PICTURE = {
    "hidden_size": WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "intermediate_size": INNER,
    "image_size": 32,
    "patch_size": 8,
    "num_labels": 5,
}
WHISPER = {
    "vocab_size": 96,
    "d_model": WIDTH,
    "encoder_layers": LAYERS,
    "decoder_layers": LAYERS,
    "encoder_attention_heads": HEADS,
    "decoder_attention_heads": HEADS,
    "encoder_ffn_dim": INNER,
    "decoder_ffn_dim": INNER,
    "num_mel_bins": 8,
    "max_source_positions": 12,
    "max_target_positions": 24,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
}
T5 = {
    "vocab_size": 96,
    "d_model": WIDTH,
    "d_kv": 8,
    "d_ff": INNER,
    "num_layers": LAYERS,
    "num_heads": HEADS,
}


@dataclass(frozen=True)
class Family:
    """A class of transformers with a small configuration."""

    network: str
    config: str
    sizes: dict[str, Any] = field(default_factory=lambda: dict(TEXT))


FAMILIES = {
    "llama": Family("LlamaForCausalLM", "LlamaConfig", SHARED),
    "mistral": Family("MistralForCausalLM", "MistralConfig", SHARED | {"sliding_window": 8}),
    "qwen2": Family("Qwen2ForCausalLM", "Qwen2Config", SHARED),
    "gemma2": Family("Gemma2ForCausalLM", "Gemma2Config", SHARED | {"head_dim": 8, "sliding_window": 8}),
    "gpt2": Family(
        "GPT2LMHeadModel",
        "GPT2Config",
        {"vocab_size": 96, "n_embd": WIDTH, "n_layer": LAYERS, "n_head": HEADS, "n_positions": 24},
    ),
    "gpt-neox": Family("GPTNeoXForCausalLM", "GPTNeoXConfig"),
    "opt": Family(
        "OPTForCausalLM",
        "OPTConfig",
        {k: v for k, v in TEXT.items() if k != "intermediate_size"}
        | {"ffn_dim": INNER, "word_embed_proj_dim": WIDTH},
    ),
    "phi": Family("PhiForCausalLM", "PhiConfig"),
    "phi3": Family(
        "Phi3ForCausalLM", "Phi3Config", SHARED | {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    ),
    "qwen3": Family("Qwen3ForCausalLM", "Qwen3Config", SHARED | {"head_dim": 8}),
    "mixtral": Family("MixtralForCausalLM", "MixtralConfig", SHARED | {"num_local_experts": 4}),
    "mamba": Family(
        "MambaForCausalLM",
        "MambaConfig",
        {"vocab_size": 96, "hidden_size": WIDTH, "num_hidden_layers": LAYERS, "state_size": 4},
    ),
    "bert": Family("BertForMaskedLM", "BertConfig"),
    "deberta": Family(
        "DebertaV2ForMaskedLM",
        "DebertaV2Config",
        TEXT | {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 8},
    ),
    "roberta": Family(
        "RobertaForMaskedLM", "RobertaConfig", TEXT | {"pad_token_id": 1, "max_position_embeddings": 26}
    ),
    "distilbert": Family(
        "DistilBertForMaskedLM",
        "DistilBertConfig",
        {
            "vocab_size": 96,
            "dim": WIDTH,
            "n_layers": LAYERS,
            "n_heads": HEADS,
            "hidden_dim": INNER,
            "max_position_embeddings": 24,
        },
    ),
    "t5-encoder": Family("T5EncoderModel", "T5Config", T5),
    "vit": Family("ViTForImageClassification", "ViTConfig", PICTURE),
    "whisper-encoder": Family("WhisperEncoder", "WhisperConfig", WHISPER),
    "t5": Family("T5ForConditionalGeneration", "T5Config", T5),
    "whisper": Family("WhisperForConditionalGeneration", "WhisperConfig", WHISPER),
}


@dataclass(frozen=True)
class FamilyRow:
    """What the program does with one family.

    Args:
        units: kind of unit -> how many groups of it can be cut.
        whole: reasons of groups that stay whole.
        at_lengths: largest difference to transformers' own code over all lengths, relative to the largest
            answer; None: it reads no tokens.
        any_length: one smaller model reads all lengths; otherwise there is one for each.
        trouble: why it is not loaded, cut, proven or exported; "" if it is.
        folder: kind of what a folder of transformers can say -> "yes", or why it is refused.
    """

    name: str
    network: str
    units: dict[str, int] = field(default_factory=dict)
    whole: tuple[str, ...] = ()
    params: int = 0
    left: int = 0
    difference: float | None = None
    at_lengths: float | None = None
    any_length: bool = False
    trouble: str = ""
    folder: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


def saved(family: Family, folder: Path) -> Path:
    """A folder of a family's model with random weights, biases and norms."""
    transformers = uses_torchvision("transformers")
    torch.manual_seed(0)
    config = getattr(transformers, family.config)(**family.sizes)
    network = getattr(transformers, family.network)(config)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    network.save_pretrained(folder)
    if "image_size" in family.sizes:
        (folder / "preprocessor_config.json").write_text('{"size": {"height": 32, "width": 32}}')
    return folder


def sound_encoder(family: Family) -> Subject:
    """The encoder of a model of sounds, which a Python file would return: folders are of pictures or text."""
    transformers = uses_torchvision("transformers")
    torch.manual_seed(0)
    network = transformers.models.whisper.modeling_whisper.WhisperEncoder(
        getattr(transformers, family.config)(**family.sizes)
    )
    example = torch.randn(2, WHISPER["num_mel_bins"], 2 * WHISPER["max_source_positions"])
    model = led(network.eval(), lambda forward, x: forward(input_features=x).last_hidden_state)
    return Subject(family.network, family.network, model, None, example)


def opened(name: str, folder: Path, tokens: int = TOKENS) -> Analysed:
    """The analysed model of a family, from its folder."""
    family = FAMILIES[name]
    if family.network == "WhisperEncoder":
        return analyse(sound_encoder(family))
    place = folder / name
    text = f"hf:{place if place.is_dir() else saved(family, place)}"
    return analyse(load(text if "image_size" in family.sizes else f"{text}@{tokens}"))


def row_of(name: str, *, exported: bool = True) -> FamilyRow:
    """Load, cut half of every group, prove it, compare lengths, and write the folder."""
    started, family = time.perf_counter(), FAMILIES[name]
    row: dict[str, Any] = {"name": name, "network": family.network}
    with tempfile.TemporaryDirectory() as place:
        try:
            model = opened(name, Path(place))
            groups = model.profile.groups
            row["units"] = dict(Counter(group.unit for group in model.profile.free_groups.values()))
            row["whole"] = tuple(sorted({_kind(group.frozen) for group in groups if group.frozen}))
            row["params"] = model.profile.params
            report = audit(model, ratio=0.5)
            row |= {"left": report.params_after or 0, "difference": report.max_rel_diff}
            row["trouble"] = model.profile.error or report.reason or ""
            if model.subject.reads:
                row["at_lengths"], row["any_length"] = at_lengths(name, model, Path(place))
            row["folder"] = {kind: _folder(model, kind) for kind in kinds_of(model)} if exported else {}
        except ExplorerError as error:
            row["trouble"] = str(error).replace(place, "...")
    return FamilyRow(**row, seconds=round(time.perf_counter() - started, 1))


def at_lengths(name: str, model: Analysed, folder: Path) -> tuple[float, bool]:
    """How far the smaller model is from transformers' own code at each length, and whether one reads all.

    Half of the heads and neurons are cut. The width is left out: zeros in it would change what norms see.
    """
    found = sized(model)
    fits = {tokens: all(holds(one, (2, tokens)) for one in found.conditions) for tokens in LENGTHS}
    models = {tokens: found.model if fits[tokens] else opened(name, folder, tokens) for tokens in LENGTHS}
    return max(_from_own_code(models[tokens], tokens) for tokens in LENGTHS), all(fits.values())


def _from_own_code(model: Analysed, tokens: int) -> float:
    """The difference of a cut model's answers at a length from those of the masked one."""
    recipe, given = half_of(model, (*HEAD_KINDS, "neuron")), inputs_of(model, tokens)
    small = compact(model, decide(model, recipe).masks)
    return distance(masked_by_hand(model, recipe, everywhere=True), small, given)


@torch.no_grad()
def distance(own: nn.Module, small: nn.Module, given: torch.Tensor) -> float:
    """The largest difference of two models' answers, relative to the first one's largest."""
    wanted, answers = own(given), small(given)
    return float((wanted - answers).abs().max() / wanted.abs().max())


def inputs_of(model: Analysed, tokens: int) -> torch.Tensor:
    """Inputs of a model that reads tokens, of a length."""
    if len(model.subject.reads) > 1:
        return model.subject.example
    rows = model.subject.reads[0].numbers or 2
    return torch.randint(rows, (2, tokens), generator=torch.Generator().manual_seed(tokens))


def half_of(model: Analysed, kinds: Iterable[str]) -> Recipe:
    """Half of the heads of some kinds, or of the neurons of each perceptron, or of the width."""
    return Recipe(
        channels={name: 0.5 for name, group in model.profile.free_groups.items() if _what(group) in kinds}
    )


def _what(group: Group) -> str:
    return group.unit if group.is_of_heads else "width" if group.units == WIDTH else "neuron"


def kinds_of(model: Analysed) -> list[str]:
    """The kinds of heads, and neurons, that a model has."""
    found = {_what(group) for group in model.profile.free_groups.values()}
    return [kind for kind in (*HEAD_KINDS, "neuron") if kind in found]


def _folder(model: Analysed, kind: str) -> str:
    """Whether a folder of transformers can say that half of these units are cut."""
    try:
        export(model, half_of(model, (kind,)), "transformers")
    except ExplorerError as error:
        return str(error)
    return "yes"


def _kind(reason: str | None) -> str:
    return re.sub(r" in [^ ]+$", "", reason or "")[:90]


def _line(row: FamilyRow) -> str:
    units = ", ".join(f"{count} of {kind}s" for kind, count in row.units.items())
    if row.trouble:
        return f"| `{row.name}` | {row.network} | {units} | | no: {row.trouble} | | |"
    difference = f"{row.difference:.0e}" if row.difference is not None else ""
    left = f"{row.params:,} to {row.left:,}"
    lengths = "" if row.at_lengths is None else f"{_near(row.at_lengths)}, {_models(row)}"
    said = [f"{kind}s" for kind, told in row.folder.items() if told == "yes"]
    folder = " and ".join([", ".join(said[:-1]), said[-1]] if len(said) > 1 else said) or "no"
    return f"| `{row.name}` | {row.network} | {units} | {left} | yes, {difference} | {lengths} | {folder} |"


def _near(difference: float) -> str:
    return f"{difference:.0e}" if difference else "0"


def _models(row: FamilyRow) -> str:
    return "one model" if row.any_length else "one for each"


def table(rows: Iterable[FamilyRow]) -> str:
    """Rows as the guide shows them."""
    columns = (
        "family",
        "class",
        "groups that can be cut",
        "parameters",
        "proven, difference",
        "three lengths",
        "as a folder",
    )
    head = f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}\n"
    return head + "".join(_line(row) + "\n" for row in rows)


def write(text: str, path: Path = GUIDE) -> None:
    """Put the table between its marks in the guide."""
    before, _, rest = path.read_text(encoding="utf-8").partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    path.write_text(f"{before}{MARKS[0]}{text}{MARKS[1]}{after}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", default="", help="names, with commas between")
    parser.add_argument("--write", action="store_true", help="into the guide")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    rows = []
    for name in options.only.split(",") if options.only else FAMILIES:
        rows.append(row_of(name))
        print(rows[-1], flush=True)
    print(table(rows), flush=True)
    if options.write:
        write(table(rows))


if __name__ == "__main__":
    main()
