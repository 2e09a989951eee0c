"""Blocks of published architectures with random weights, each removed by hand in eager torch as oracle.

    python tests/graph/block_families.py                        every model of the list
    python tests/graph/block_families.py --only timm:resnet18   some of them
    python tests/graph/block_families.py --audit                and audited, which takes longer

By hand: the last module of a branch that runs answers zero, or its scale is zero. Nothing of the graph is
used for that but the names of the branch's tensors.
"""

import argparse
import re
import time
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from explorer.audit.audit import audit
from explorer.compaction.compact import compact
from explorer.graph.analysed import Analysed, analyse
from explorer.loaders.model_text import load
from explorer.values.profile import Masks
from explorer.values.recipe import Recipe

SEED = 3
SCALES = re.compile(r".*(gamma|scale)")
NAMES = """
shapes-resnet shapes-mobilenet shapes-vit shapes-densenet digits-cnn
torchvision:resnet18 torchvision:resnet50 torchvision:wide_resnet50_2 torchvision:resnext50_32x4d
torchvision:mobilenet_v2 torchvision:mobilenet_v3_small torchvision:mnasnet0_5 torchvision:efficientnet_b0
torchvision:regnet_x_400mf torchvision:regnet_y_400mf torchvision:convnext_tiny torchvision:vit_b_16
torchvision:swin_t torchvision:swin_v2_t torchvision:densenet121 torchvision:googlenet
timm:resnet18 timm:resnet26d timm:mobilenetv3_small_050 timm:efficientnet_b0 timm:regnetx_002
timm:convnext_atto timm:convnextv2_atto timm:vit_tiny_patch16_224 timm:deit3_small_patch16_224
timm:swin_tiny_patch4_window7_224 timm:mixer_s32_224 timm:poolformer_s12 timm:cait_xxs24_224
timm:beit_base_patch16_224 timm:eva02_tiny_patch14_224 timm:nfnet_l0 timm:ghostnet_050 timm:repvgg_a0 
timm:edgenext_xx_small timm:hrnet_w18_small
""".split()


@dataclass(frozen=True)
class Row:
    """What was seen of one model.

    Args:
        error: the largest difference from the model without these blocks by hand, of the largest answer.
        moved: how far removing them moves the answers, in the same unit.
    """

    name: str
    removable: tuple[str, ...]
    stay: int
    params: float
    error: float = 0.0
    moved: float = 0.0
    verified: str = ""


def woken(model: nn.Module, x: Tensor) -> nn.Module:
    """The model with random numbers where parameters are constant, and norms that have seen an input, so that
    every branch does something.
    """
    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for parameter in model.parameters():
            low, high = parameter.aminmax()
            if low == high or float(parameter.abs().max()) < 1e-3:
                parameter.copy_(torch.rand(parameter.shape, generator=generator) * 0.5 + 0.5 * float(low > 0))
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.momentum = None
                module.train()
        model(x)
    return model.eval()


def silenced(module: nn.Module, args: object, output: Any) -> Any:
    """Zero in place of a module's answer."""
    if isinstance(output, Tensor):
        return torch.zeros_like(output)
    return (torch.zeros_like(output[0]), *output[1:])


@torch.no_grad()
def by_hand(model: nn.Module, tensors: Iterable[Iterable[str]], x: Tensor) -> Tensor:
    """The answers of eager torch without the branches that own these tensors."""
    ran: list[str] = []
    names = dict(model.named_modules())
    handles = [
        module.register_forward_hook(lambda *_, name=name: ran.append(name)) for name, module in names.items()
    ]
    model(x)
    for handle in handles:
        handle.remove()
    handles, scales = [], []
    for own in map(set, tensors):
        holders = [
            name
            for name in ran
            if own & {f"{name}.{p}" for p, _ in names[name].named_parameters(recurse=False)}
        ]
        last = holders[-1]
        held = dict(names[last].named_parameters(recurse=False))
        scale = [p for n, p in held.items() if f"{last}.{n}" in own and SCALES.match(n)]
        for parameter in scale:  # a block's own scale
            scales.append((parameter, parameter.clone()))
            parameter.zero_()
        if not scale:
            handles.append(names[last].register_forward_hook(silenced))
    answer = model(x)
    for handle in handles:
        handle.remove()
    for parameter, before in scales:
        parameter.copy_(before)
    return answer


def row_of(name: str, *, audited: bool = False) -> Row:
    """Remove the first, the middle and the last block, and then all of them together."""
    subject = load(name)
    noise = torch.randn(2, *subject.example.shape[1:], generator=torch.Generator().manual_seed(SEED))
    woken(subject.model, noise)
    model = analyse(subject)
    return checked(name, model, audited=audited)


def checked(name: str, model: Analysed, *, audited: bool = False) -> Row:
    """The same for a model that is analysed."""
    blocks = [block for block in model.profile.blocks if block.reason is None]
    share = sum(block.params for block in blocks) / model.profile.params
    row = Row(name, tuple(b.name for b in blocks), len(model.profile.blocks) - len(blocks), share)
    if not blocks:
        return row
    example = model.subject.example
    x = torch.randn(2, *example.shape[1:], generator=torch.Generator().manual_seed(SEED))
    network, errors, moves = model.subject.model, [], []
    with torch.no_grad():
        dense = network(x)
    chosen = [[blocks[place]] for place in sorted({0, len(blocks) // 2, len(blocks) - 1})]
    for some in [*chosen, blocks]:
        small = compact(model, Masks({}, {}, tuple(block.name for block in some)))
        with torch.no_grad():
            found = small(x)
        scale = float(dense.abs().max())
        errors.append(float((found - by_hand(network, [b.tensors for b in some], x)).abs().max()) / scale)
        moves.append(float((found - dense).abs().max()) / scale)
        gone = sum(p.numel() for p in network.parameters()) - sum(p.numel() for p in small.parameters())
        assert gone == sum(b.params for b in some) or len(some) > 1, (
            name,
            some[0].name,
            gone,
            some[0].params,
        )
    verified = ""
    if audited:
        report = audit(model, Recipe(blocks=tuple(b.name for b in blocks[1::2])))
        verified = "verified" if report.verified else str(report.reason)
    return Row(name, row.removable, row.stay, share, max(errors), min(moves), verified)


def main() -> None:
    """Print a line for each model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", help="names, separated by commas")
    parser.add_argument("--audit", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    print("model | removable | stay | share of parameters | error | moved | audit | s")
    for name in arguments.only.split(",") if arguments.only else NAMES:
        began = time.perf_counter()
        try:
            row = row_of(name, audited=arguments.audit)
        except Exception as error:  # the list goes on
            print(f"{name} | {type(error).__name__}: {str(error)[:200]}", flush=True)
            continue
        numbers = f"{len(row.removable)} | {row.stay} | {row.params:.0%} | {row.error:.1e} | {row.moved:.1e}"
        print(f"{name} | {numbers} | {row.verified} | {time.perf_counter() - began:.0f}", flush=True)


if __name__ == "__main__":
    main()
