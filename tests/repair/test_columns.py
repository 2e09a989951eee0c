"""Rows and matrices of contractions: their product is what torch's own layer gives, for every kind."""

import numpy
import pytest
import torch
from torch import fx, nn

from explorer.repair.columns import as_matrix, as_weight, columns, output_rows, thinning
from explorer.repair.contractions import contractions

LAYERS = {
    "linear": (nn.Linear(5, 3), (4, 6, 5)),
    "conv1d": (nn.Conv1d(4, 6, 3, stride=2, padding=1, dilation=2), (2, 4, 11)),
    "conv2d": (nn.Conv2d(3, 4, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2)), (2, 3, 7, 8)),
    "conv2d_same": (nn.Conv2d(3, 4, (4, 3), padding="same", dilation=(1, 2)), (2, 3, 7, 8)),
    "conv3d": (nn.Conv3d(2, 3, 2, padding=1), (2, 2, 4, 5, 3)),
    "grouped": (nn.Conv2d(6, 4, 3, groups=2), (2, 6, 5, 5)),
    "depthwise": (nn.Conv2d(4, 8, 3, padding=1, groups=4), (2, 4, 5, 5)),
    "transposed1d": (nn.ConvTranspose1d(4, 3, 3, stride=2), (2, 4, 6)),
    "transposed2d": (
        nn.ConvTranspose2d(4, 6, (3, 4), stride=(2, 3), padding=(2, 1), output_padding=(1, 2), groups=2),
        (2, 4, 5, 4),
    ),
    "transposed3d": (nn.ConvTranspose3d(2, 3, 2, dilation=2, padding=1), (2, 2, 4, 3, 4)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_rows_times_matrix_is_what_the_layer_gives(name):
    layer, shape = LAYERS[name]
    x = torch.randn(shape)
    (contraction,) = contractions(fx.symbolic_trace(nn.Sequential(layer)))
    matrix = as_matrix(contraction.form, layer.weight.detach())
    plain = layer(x).detach() - layer(torch.zeros_like(x)).detach()
    product = columns(contraction.form, x) @ matrix.transpose(1, 2)
    assert torch.allclose(product, output_rows(contraction.form, plain), atol=1e-5)
    assert torch.equal(as_weight(contraction.form, matrix, layer.weight.shape), layer.weight)


@pytest.mark.parametrize("name", LAYERS)
def test_thinned_rows_are_every_so_manieth(name):
    layer, shape = LAYERS[name]
    x = torch.randn(shape)
    (found,) = contractions(fx.symbolic_trace(nn.Sequential(layer)))
    assert torch.equal(columns(found.form, x, 3), columns(found.form, x)[:, ::3])
    assert torch.equal(output_rows(found.form, layer(x), 3), output_rows(found.form, layer(x))[:, ::3])


def test_a_matrix_product_reads_its_weight_turned():
    class Product(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight, self.bias = nn.Parameter(torch.randn(5, 3)), nn.Parameter(torch.randn(3))

        def forward(self, x):
            return torch.ops.aten.addmm.default(self.bias, x, self.weight)

    model = Product()
    x = torch.randn(7, 5)
    (contraction,) = contractions(fx.symbolic_trace(model))
    assert (contraction.weight, contraction.bias) == ("weight", "bias")
    matrix = as_matrix(contraction.form, model.weight.detach())
    assert torch.allclose(
        (columns(contraction.form, x) @ matrix.transpose(1, 2))[0], model(x) - model.bias, atol=1e-5
    )
    assert torch.equal(as_weight(contraction.form, matrix, model.weight.shape), model.weight)


def test_a_weight_that_is_read_in_another_way_too_is_left_out():
    class TiedHead(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.head = nn.Embedding(9, 4), nn.Linear(4, 9)
            self.head.weight = self.embedding.weight

        def forward(self, x):
            return self.head(self.embedding(x))

    assert contractions(fx.symbolic_trace(TiedHead())) == ()


def test_every_position_has_its_turn():
    every = thinning(64 * 100, 64, 100)
    seen = {row % 64 for row in range(0, 64 * 100, every)}
    assert every > 1 and seen == set(range(64))
    assert numpy.gcd(every, 64) == 1
