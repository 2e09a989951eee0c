"""Reads pickled bytes as plain data. No name in them is looked up and nothing is called, so no code can run.

What a pickle would call or build becomes a description (`PickledCall`); containers and numbers become
themselves.
"""

import pickletools
import time
from collections.abc import Callable
from typing import IO, Any

from .pickled_calls import NOTHING_MORE, CodeFoundError, Meaning, Name, PickledCall

MAX_STEPS = 5_000_000  # each creates at most one small value
MAX_SECONDS = 60.0  # of the processor
RUNNING = frozenset(
    "os posix nt sys subprocess runpy importlib shutil socket pty ctypes code webbrowser".split()
)
RUNNING_BUILTINS = frozenset("eval exec compile open __import__ breakpoint input".split())
DICTS = ("OrderedDict", "defaultdict", "Counter", "dict")
LISTS = ("list", "tuple", "set", "frozenset", "Size")
PLAIN_MODULES = ("builtins", "__builtin__", "collections", "torch")


def read_pickle(source: bytes | IO[bytes], meaning: Meaning = NOTHING_MORE) -> Any:
    """Return the data of one pickle; a file is left positioned at its end.

    Raises:
        CodeFoundError: it calls something that runs programs.
        ValueError, IndexError, KeyError, TypeError: it is damaged, or too long.

    >>> import pickle
    >>> read_pickle(pickle.dumps({"a": [1, (2.5, None)]}))
    {'a': [1, (2.5, None)]}
    """
    machine, until = _Machine(meaning), time.thread_time() + MAX_SECONDS
    for step, (opcode, argument, _) in enumerate(pickletools.genops(source)):
        if opcode.name == "STOP":
            return machine.stack[-1]
        if step >= MAX_STEPS or (step % 4096 == 0 and time.thread_time() > until):
            raise ValueError("it has too many steps")
        machine.do(opcode.name, argument)
    raise ValueError("it has no end")


class _Machine:
    """The stack machine that reads a pickle."""

    def __init__(self, meaning: Meaning):
        self.meaning = meaning
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []  # stacks that marks have set aside
        self.memo: dict[int, Any] = {}
        self.copied = 0  # pairs

    def do(self, name: str, argument: Any) -> None:
        action = ACTIONS.get(name)
        if action is not None:
            action(self, argument)
        elif name in VALUES:
            self.stack.append(VALUES[name])
        elif name in LITERALS:
            self.stack.append(argument)
        elif name not in IGNORED:
            raise ValueError(f"it uses {name}")

    def to_mark(self) -> list[Any]:
        """Return what was put on the stack since the last mark, and remove the mark."""
        found, self.stack = self.stack, self.below.pop()
        return found

    def pop(self) -> Any:
        return self.stack.pop()


def _call(machine: _Machine, name: Any, args: Any) -> Any:
    """Return the result of a call, as a description or as plain data; its arguments are never copied, except
    for pairs.
    """
    if not isinstance(name, Name) or not isinstance(args, tuple):
        return PickledCall("something", args if isinstance(args, tuple) else (args,))
    module, _, last = name.text.rpartition(".")
    if module.partition(".")[0] in RUNNING or (module in PLAIN_MODULES[:2] and last in RUNNING_BUILTINS):
        raise CodeFoundError(name.text)
    if module in PLAIN_MODULES and last in DICTS:
        return _as_dict(machine, args)
    if module in PLAIN_MODULES and last in LISTS:
        return args[0] if args and isinstance(args[0], list | tuple) else []
    found = machine.meaning.make(name.text, args)
    return PickledCall(name.text, args) if found is None else found


def _as_dict(machine: _Machine, args: tuple[Any, ...]) -> dict[Any, Any]:
    given = args[0] if args else ()
    if isinstance(given, dict):
        return given
    if not isinstance(given, list | tuple):
        return {}
    machine.copied += len(given)
    if machine.copied > MAX_STEPS:  # one long list could be copied again and again
        raise ValueError("it copies too much")
    return dict(given)


def _reduce(machine: _Machine, _: Any) -> None:
    args, name = machine.pop(), machine.pop()
    machine.stack.append(_call(machine, name, args))


def _new_with_keywords(machine: _Machine, _: Any) -> None:
    machine.pop()
    _reduce(machine, None)


def _object(machine: _Machine, _: Any) -> None:
    name, *args = machine.to_mark()
    machine.stack.append(_call(machine, name, tuple(args)))


def _instance(machine: _Machine, argument: str) -> None:
    args = tuple(machine.to_mark())
    machine.stack.append(_call(machine, Name(argument.replace(" ", ".", 1)), args))


def _global(machine: _Machine, argument: str) -> None:
    machine.stack.append(Name(argument.replace(" ", ".", 1)))


def _stack_global(machine: _Machine, _: Any) -> None:
    last, module = machine.pop(), machine.pop()
    machine.stack.append(Name(f"{module}.{last}"))


def _build(machine: _Machine, _: Any) -> None:
    state = machine.pop()
    if isinstance(machine.stack[-1], PickledCall):
        machine.stack[-1].state = state


def _put_pairs(target: Any, flat: list[Any]) -> None:
    pairs = target.pairs if isinstance(target, PickledCall) else target
    if not isinstance(pairs, dict):
        raise ValueError("it puts a pair into something that is not a mapping")
    pairs.update(zip(flat[::2], flat[1::2], strict=True))


def _put_items(target: Any, items: list[Any]) -> None:
    held = target.items if isinstance(target, PickledCall) else target
    if not isinstance(held, list):
        raise ValueError("it puts an item into something that is not a list")
    held.extend(items)


def _set_item(machine: _Machine, _: Any) -> None:
    value, key = machine.pop(), machine.pop()
    _put_pairs(machine.stack[-1], [key, value])


def _set_items(machine: _Machine, _: Any) -> None:
    flat = machine.to_mark()
    _put_pairs(machine.stack[-1], flat)


def _append(machine: _Machine, _: Any) -> None:
    item = machine.pop()
    _put_items(machine.stack[-1], [item])


def _appends(machine: _Machine, _: Any) -> None:
    items = machine.to_mark()
    _put_items(machine.stack[-1], items)


def _mark(machine: _Machine, _: Any) -> None:
    machine.below.append(machine.stack)
    machine.stack = []


def _drop(machine: _Machine, _: Any) -> None:
    if machine.stack:
        machine.stack.pop()
    else:
        machine.to_mark()


def _drop_to_mark(machine: _Machine, _: Any) -> None:
    machine.to_mark()


def _double(machine: _Machine, _: Any) -> None:
    machine.stack.append(machine.stack[-1])


def _fresh(kind: Callable[[], Any]) -> Callable[[_Machine, Any], None]:
    def action(machine: _Machine, _: Any) -> None:
        machine.stack.append(kind())

    return action


def _tuple_of(count: int) -> Callable[[_Machine, Any], None]:
    def action(machine: _Machine, _: Any) -> None:
        found = tuple(machine.stack[-count:])
        if len(found) < count:
            raise ValueError("it takes more than there is")
        machine.stack[-count:] = [found]

    return action


def _gathered(kind: Callable[[list[Any]], Any]) -> Callable[[_Machine, Any], None]:
    def action(machine: _Machine, _: Any) -> None:
        items = machine.to_mark()
        machine.stack.append(kind(items))

    return action


def _pairs_of(flat: list[Any]) -> dict[Any, Any]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _memoise(machine: _Machine, argument: Any) -> None:
    machine.memo[len(machine.memo) if argument is None else int(argument)] = machine.stack[-1]


def _recall(machine: _Machine, argument: Any) -> None:
    machine.stack.append(machine.memo[int(argument)])


def _place(machine: _Machine, argument: Any) -> None:
    pid = machine.pop() if argument is None else argument
    machine.stack.append(machine.meaning.place(pid))


ACTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "MARK": _mark,
    "POP": _drop,
    "POP_MARK": _drop_to_mark,
    "DUP": _double,
    "GLOBAL": _global,
    "STACK_GLOBAL": _stack_global,
    "REDUCE": _reduce,
    "NEWOBJ": _reduce,
    "NEWOBJ_EX": _new_with_keywords,
    "OBJ": _object,
    "INST": _instance,
    "BUILD": _build,
    "APPEND": _append,
    "APPENDS": _appends,
    "ADDITEMS": _appends,
    "SETITEM": _set_item,
    "SETITEMS": _set_items,
    "EMPTY_LIST": _fresh(list),
    "EMPTY_SET": _fresh(list),
    "EMPTY_DICT": _fresh(dict),
    "TUPLE1": _tuple_of(1),
    "TUPLE2": _tuple_of(2),
    "TUPLE3": _tuple_of(3),
    "TUPLE": _gathered(tuple),
    "LIST": _gathered(list),
    "FROZENSET": _gathered(tuple),
    "DICT": _gathered(_pairs_of),
    "PERSID": _place,
    "BINPERSID": _place,
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), _memoise),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _recall),
}
VALUES = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
LITERALS = frozenset(
    "INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING UNICODE "
    "BINUNICODE SHORT_BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8".split()
)
IGNORED = frozenset(("PROTO", "FRAME"))
