"""Sets and finds things at dotted names of a module that is being built."""

from typing import Any

from torch import nn


def put(root: nn.Module, name: str, item: Any) -> None:
    """Set a parameter, buffer or module at a dotted name, creating plain modules in between."""
    *path, leaf = name.split(".")
    for part in path:
        if not hasattr(root, part):
            root.add_module(part, nn.Module())
        root = getattr(root, part)
    if isinstance(item, nn.Parameter):
        root.register_parameter(leaf, item)
    elif isinstance(item, nn.Module):
        if leaf in root._modules:
            _inherit(item, root._modules[leaf])
        root.add_module(leaf, item)
    else:
        root.register_buffer(leaf, item)


def _inherit(item: nn.Module, before: Any) -> None:
    """Move what was set below a name before its module existed into that module."""
    for key, child in before.named_children():
        item.add_module(key, child)
    for key, parameter in before.named_parameters(recurse=False):
        if key not in item._parameters:
            item.register_parameter(key, parameter)
    for key, buffer in before.named_buffers(recurse=False):
        if key not in item._buffers:
            item.register_buffer(key, buffer)


def has(root: nn.Module, name: str) -> bool:
    """Whether there is something at a dotted name."""
    *path, leaf = name.split(".")
    for part in path:
        root = getattr(root, part, None)  # type: ignore[assignment]
        if root is None:
            return False
    return hasattr(root, leaf)


def hide(root: nn.Module, name: str) -> None:
    """Keep the buffer at a dotted name out of state_dict; anything else is not changed."""
    path, _, leaf = name.rpartition(".")
    owner = root.get_submodule(path)
    buffers = dict(owner.named_buffers(recurse=False))
    if leaf in buffers:
        owner.register_buffer(leaf, buffers[leaf], persistent=False)
