"""Layers find their places in stacks of blocks, by names as libraries write them."""

import pytest

from explorer.values.stacks import BlockPlace, stacked

LLAMA = [
    "model.embed_tokens",
    *(f"model.layers.{n}.{part}" for n in range(12) for part in ("self_attn.q_proj", "mlp.up_proj")),
    "lm_head",
]


def test_blocks_are_in_the_order_of_their_numbers_and_what_is_outside_has_no_place():
    found = stacked(LLAMA)
    assert found.short_blocks == tuple(map(str, range(12))) and found.blocks[10] == "model.layers.10"
    assert found.kinds == ("self_attn.q_proj", "mlp.up_proj")
    assert not {"model.embed_tokens", "lm_head"} & found.places.keys()


def test_a_number_may_end_a_word():
    names = [f"encoder.layers.encoder_layer_{n}.{part}" for n in range(3) for part in ("mlp.0", "mlp.3")]
    found = stacked(names)
    assert found.places[names[1]] == BlockPlace("encoder.layers.encoder_layer_", 0, "mlp.3")
    assert found.short_blocks == ("0", "1", "2")


def test_two_stacks_are_told_apart_and_outer_blocks_count():
    names = [
        f"{side}.block.{n}.layer.{part}"
        for side in ("encoder", "decoder")
        for n in range(3)
        for part in ("0.SelfAttention.q", "1.DenseReluDense.wi", "2.a", "3.a")
    ]
    stacks = stacked(names)
    assert stacks.short_blocks[:4] == (
        "encoder.block.0",
        "encoder.block.1",
        "encoder.block.2",
        "decoder.block.0",
    )
    assert stacks.places["decoder.block.2.layer.0.SelfAttention.q"].kind == "layer.0.SelfAttention.q"


def test_a_kind_that_few_blocks_have_is_left_out():
    names = [f"h.{n}.{part}" for n in range(4) for part in ("attn", "mlp")]
    assert "h.0.bias" not in stacked([*names, "h.0.bias", "h.1.bias"]).places


@pytest.mark.parametrize(
    "names",
    [
        (),
        ("0.weight", "1.weight", "2.weight"),  # layers of one kind are no blocks
        ("conv1", "conv2", "conv3", "fc"),
        [f"h.{n}.{part}" for n in range(2) for part in ("attn", "mlp")],  # two blocks
        [f"h.{n}.{n}" for n in range(5)],  # blocks that share nothing
    ],
)
def test_a_model_without_a_stack_has_no_places(names):
    found = stacked(names)
    assert not found.places and not found.blocks and not found.kinds and not found.short_blocks
