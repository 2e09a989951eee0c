import json
import tracemalloc
import zlib

import pytest
import torch
from safetensors.torch import load, save
from stored_tensors import from_bytes
from torch import nn

from explorer.errors import ExplorerError, UnknownNameError
from explorer.measuring import storage_size
from explorer.measuring.deflated import deflated
from explorer.measuring.storage_size import sizes, to_bytes

FLOATS = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
FORMATS = ("dense", "csr", "bitmask", "deflate")


def _sparse(*shape: int, zeros: float, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """A tensor with exactly round(zeros * n) zeros, at random places."""
    generator = torch.Generator().manual_seed(0)
    flat = torch.rand(torch.Size(shape).numel(), generator=generator, dtype=torch.float64) + 0.5
    flat[torch.randperm(len(flat), generator=generator)[: round(zeros * len(flat))]] = 0
    return flat.view(shape).to(dtype)


def _model(zeros: float) -> dict[str, torch.Tensor]:
    model = nn.Sequential(nn.Conv2d(3, 32, 3), nn.BatchNorm2d(32), nn.Flatten(), nn.Linear(512, 100))
    for weight in (model[0].weight, model[3].weight):
        weight.data = _sparse(*weight.shape, zeros=zeros)
    return model.state_dict()


tied_weight = _sparse(64, 64, zeros=0.9)
flat_storage = torch.randn(600, generator=torch.Generator().manual_seed(1))
CASES = {
    "dense model": _model(0.0),
    "half": _model(0.5),
    "sparse model": _model(0.9),
    "all zero": {"weight": torch.zeros(100, 100)},
    "nothing": {},
    "scalar and empty": {"steps": torch.tensor(7), "empty": torch.zeros(0, 3), "one": torch.tensor(0.5)},
    "tied": {"embedding.weight": tied_weight, "norm.bias": torch.ones(64), "head.weight": tied_weight},
    "views of one storage": {
        "a": flat_storage[:400].view(20, 20),
        "b": flat_storage[200:],
        "c": flat_storage[::2],
    },
    "transposed": {"weight": _sparse(100, 60, zeros=0.8).T},
    "channels last": {"weight": _sparse(16, 8, 3, 3, zeros=0.8).to(memory_format=torch.channels_last)},
    "odd number of positions": {"weight": _sparse(37, 41, zeros=0.7), "bias": _sparse(1111, zeros=0.95)},
    "many dtypes": {str(dtype): _sparse(50, 50, zeros=0.6, dtype=dtype) for dtype in FLOATS}
    | {
        "index": torch.arange(3000).view(60, 50) % 2,
        "flags": torch.zeros(999, dtype=torch.bool),
        "bytes": torch.zeros(9).byte(),
    },
    "foreign names": {'<b>"quote"\\ \n\x01': _sparse(40, 40, zeros=0.9), "größe-権": torch.ones(3)},
}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("case", CASES)
def test_predicted_bytes_are_the_file_and_it_reads_back_equal(case, form):
    tensors = CASES[case]
    data = to_bytes(tensors, form)
    assert sizes(tensors)[form] == len(data)
    back = from_bytes(data, form)
    assert set(back) == set(tensors)
    for name, tensor in tensors.items():
        assert back[name].dtype == tensor.dtype
        assert torch.equal(back[name], tensor)


def test_negative_control_a_changed_byte_is_noticed():
    tensors = CASES["sparse model"]
    data = bytearray(to_bytes(tensors, "csr"))
    data[8 + int.from_bytes(data[:8], "little") + 4000] ^= 0xFF  # a value, after the header and some int64
    back = from_bytes(bytes(data), "csr")
    assert not all(torch.equal(back[name], tensor) for name, tensor in tensors.items())


@pytest.mark.parametrize(
    "case", ["dense model", "sparse model", "scalar and empty", "many dtypes", "foreign names"]
)
def test_dense_is_the_file_that_safetensors_writes(case):
    tensors = CASES[case]
    assert to_bytes(tensors, "dense") == save(dict(tensors))
    assert sizes(tensors, deflate=False)["dense"] == len(save(dict(tensors)))


def test_a_safetensors_reader_opens_every_uncompressed_format():
    assert set(load(to_bytes(CASES["sparse model"], "csr"))) >= {
        "3.weight..values",
        "3.weight..columns",
        "3.weight..rows",
    }
    assert set(load(to_bytes(CASES["sparse model"], "bitmask"))) >= {"3.weight..values", "3.weight..bits"}


def test_csr_parts_by_hand():
    weight = torch.zeros(3, 2, 100)  # read as (3, 200)
    weight[0, 0, 5], weight[0, 1, 7], weight[2, 1, 99] = 1.0, 2.0, 3.0
    parts = load(to_bytes({"w": weight}, "csr"))
    assert parts["w..values"].tolist() == [1.0, 2.0, 3.0]
    assert parts["w..columns"].tolist() == [5, 107, 199]
    assert parts["w..rows"].tolist() == [0, 2, 2, 3]
    assert {t.dtype for name, t in parts.items() if "values" not in name} == {torch.int32}


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support")
def test_csr_parts_are_those_of_torch():
    weight = CASES["sparse model"]["3.weight"]
    parts, reference = load(to_bytes({"w": weight}, "csr")), weight.to_sparse_csr()
    assert torch.equal(parts["w..values"], reference.values())
    assert torch.equal(parts["w..columns"].long(), reference.col_indices())
    assert torch.equal(parts["w..rows"].long(), reference.crow_indices())


def test_bits_by_hand():
    weight = torch.zeros(300)
    weight[[0, 3, 9]] = torch.tensor([1.0, 2.0, 3.0])
    parts = load(to_bytes({"w": weight}, "bitmask"))
    assert parts["w..values"].tolist() == [1.0, 2.0, 3.0]
    assert parts["w..bits"].tolist() == [0b1001, 0b10] + [0] * 36  # 300 positions in 38 bytes


@pytest.mark.parametrize(("form", "break_even"), [("csr", 0.5), ("bitmask", 1 / 32)])
def test_break_even_sparsity(form, break_even):
    below = sizes({"w": _sparse(1000, 1000, zeros=break_even - 0.002)}, deflate=False)
    above = sizes({"w": _sparse(1000, 1000, zeros=break_even + 0.002)}, deflate=False)
    assert below[form] == below["dense"]
    assert above[form] < above["dense"]


def test_bytes_of_a_large_sparse_tensor_by_hand():
    bytes_of = sizes({"w": _sparse(1000, 1000, zeros=0.9)}, deflate=False)
    header = '{"w":{"dtype":"F32","shape":[1000,1000],"data_offsets":[0,4000000]}}'
    assert len(header) in range(65, 73)  # padded to 72
    assert bytes_of["dense"] == 8 + 72 + 4_000_000
    assert bytes_of["csr"] - (100_000 * 8 + 1001 * 4) in range(200, 400)
    assert bytes_of["bitmask"] - (100_000 * 4 + 125_000) in range(100, 400)


def test_zeros_alone_do_not_shrink_a_dense_file():
    dense, sparse = sizes(CASES["dense model"]), sizes(CASES["sparse model"])
    assert sparse["dense"] == dense["dense"]
    assert sparse["deflate"] < 0.5 * dense["deflate"]


@pytest.mark.parametrize("case", CASES)
def test_sparse_formats_are_never_larger_than_dense(case):
    found = sizes(CASES[case], deflate=False)
    assert found["csr"] <= found["dense"]
    assert found["bitmask"] <= found["dense"]


def test_vectors_and_integers_stay_dense():
    tensors = {"bias": torch.zeros(5000), "index": torch.zeros(100, 100, dtype=torch.int64)}
    found = sizes(tensors, deflate=False)
    assert found["csr"] == found["dense"]
    assert set(load(to_bytes(tensors, "bitmask"))) == {"bias..values", "bias..bits", "index"}


def test_tied_weights_are_stored_once_and_tied_again():
    tied, untied = CASES["tied"], CASES["tied"] | {"head.weight": tied_weight.clone()}
    assert 16_384 - 256 < sizes(untied)["dense"] - sizes(tied)["dense"] < 16_384 + 256
    back = from_bytes(to_bytes(tied, "bitmask"), "bitmask")
    assert back["head.weight"] is back["embedding.weight"]


def test_deflate_is_zlib_level_6_of_the_dense_file_and_optional():
    tensors = CASES["sparse model"]
    assert to_bytes(tensors, "deflate") == zlib.compress(save(dict(tensors)), 6)
    assert set(sizes(tensors)) == set(FORMATS)
    assert set(sizes(tensors, deflate=False)) == {"dense", "csr", "bitmask"}


def test_the_given_tensors_stay_as_they_are():
    weight = _sparse(64, 64, zeros=0.9).requires_grad_()
    before = weight.detach().clone()
    sizes({"w": weight})
    assert torch.equal(weight, before)
    assert weight.requires_grad


def test_sizes_are_plain_numbers_for_json():
    assert json.loads(json.dumps(sizes(CASES["half"]))) == sizes(CASES["half"])


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"a..values": torch.ones(2)}, "must not hold '..'"),
        ({"a.": torch.ones(2)}, "end in a dot"),
        ({"a": torch.ones(2, dtype=torch.complex128)}, "convert the model to float32"),
    ],
)
def test_what_cannot_be_stored_is_said(tensors, message):
    with pytest.raises(ExplorerError, match=message):
        sizes(tensors)


def test_an_unknown_format_lists_the_known():
    with pytest.raises(UnknownNameError, match="dense, csr, bitmask, deflate"):
        to_bytes({}, "zip")


# --------------------------------------------------------------------------- large files


def _noise_and_zeros() -> bytes:
    weight = torch.randn(300_000, generator=torch.Generator().manual_seed(0)).clamp(min=0.5) - 0.5
    return torch.cat([weight, weight.new_zeros(100_000), weight.flip(0) + 1]).numpy().tobytes()


@pytest.mark.parametrize("block", [1000, 65_536, 10**7])
@pytest.mark.parametrize("threads", [1, 3])
def test_blocks_are_one_stream_that_zlib_reads(block, threads):
    data = _noise_and_zeros()
    pieces = [data[:1], b"", memoryview(data)[1:777_777], data[777_777:]]
    assert zlib.decompress(b"".join(deflated(pieces, block=block, threads=threads))) == data


def test_negative_control_a_lost_block_is_noticed_by_the_checksum():
    parts = list(deflated([_noise_and_zeros()], block=65_536))
    with pytest.raises(zlib.error):
        zlib.decompress(b"".join(parts[:2] + parts[3:]))


def test_blocks_compress_as_well_as_one_go():
    data = _noise_and_zeros()
    found, usual = sum(map(len, deflated([data], block=2**18))), len(zlib.compress(data, 6))
    assert 0.97 * usual < found < 1.002 * usual


def test_nothing_is_one_empty_stream():
    assert zlib.decompress(b"".join(deflated([]))) == b""


@pytest.mark.parametrize("case", CASES)
def test_a_large_file_is_compressed_in_blocks_and_reads_back(case, monkeypatch):
    small = to_bytes(CASES[case], "deflate")
    monkeypatch.setattr(storage_size, "LARGE", 0)
    data = to_bytes(CASES[case], "deflate")
    assert data != small or not CASES[case]
    assert zlib.decompress(data) == zlib.decompress(small)
    assert sizes(CASES[case])["deflate"] == len(data)


def test_a_large_file_takes_the_memory_of_a_few_blocks():
    weight = torch.zeros(64 * 2**20)  # 256 MiB
    held = []
    parts = deflated([memoryview(weight.numpy()).cast("B")], threads=1)
    tracemalloc.start()
    for _ in parts:
        held.append(tracemalloc.get_traced_memory()[1])
        if len(held) > 12:
            break
    tracemalloc.stop()
    parts.close()
    assert max(held) < 40 * 2**20
