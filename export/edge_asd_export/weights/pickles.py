"""Reads the few pickles that PyTorch writes around its tensors, without running them.

A pickle is a program that may call any function. Here its steps are walked by `pickletools.genops`, which runs nothing,
and only those are followed that build plain containers, numbers, text, and the records of tensors; whatever else it
names or calls is refused.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple

_STEPS_LIMIT = 2_000_000
_MARK = object()


class Storage(NamedTuple):
    """A stretch of numbers that stands elsewhere in the file."""

    kind: str
    """Class of the numbers, such as `FloatStorage`."""
    key: str
    """Name of the stretch."""
    length: int
    """Numbers in it."""


class Tensor(NamedTuple):
    """A view of a storage."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class Name(NamedTuple):
    """A class or function that the pickle names; it is never looked up."""

    module: str
    name: str


class Opaque(NamedTuple):
    """What a harmless name made of its arguments; of no interest here."""

    name: Name


class Pickle(NamedTuple):
    """What a pickle describes."""

    value: Any
    storages: dict[str, Storage]
    """Every storage that it refers to, by key."""


class ForbiddenPickleError(ValueError):
    """A pickle wants to do what a file of weights has no need of."""


def read_pickle(file: BinaryIO) -> Pickle:
    """Return what one pickle describes, and leave the file behind its end.

    Raises
    ------
    ForbiddenPickleError
        When it names or calls anything that a file of weights has no need of.
    ValueError
        When it is no whole pickle.
    """
    machine = _Machine()
    try:
        for count, (operation, argument, _) in enumerate(pickletools.genops(file)):
            if count > _STEPS_LIMIT:
                raise ValueError("a pickle of too many steps")
            machine.step(operation.name, argument)
    except (IndexError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"a damaged pickle ({error})") from error
    return Pickle(machine.result, machine.storages)


_CONTAINERS: dict[str, Callable[[], Any]] = {
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_VALUES = {
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE", "BINSTRING", "SHORT_BINSTRING", "BINBYTES"),
    *("SHORT_BINBYTES", "BININT", "BININT1", "BININT2", "LONG1", "LONG4", "INT", "LONG", "BINFLOAT", "FLOAT"),
}
_NOTHING = {"PROTO", "FRAME", "STOP"}
_STORE = {"BINPUT", "LONG_BINPUT", "PUT"}
_FETCH = {"BINGET", "LONG_BINGET", "GET"}


class _Machine:
    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memory: dict[int, Any] = {}
        self.result: Any = None
        self.storages: dict[str, Storage] = {}

    def step(self, name: str, argument: Any) -> None:
        """Follow one step."""
        if name in _VALUES:
            self._stack.append(argument)
        elif name in _CONTAINERS:
            self._stack.append(_CONTAINERS[name]())
        elif name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name])
        elif name in _STORE:
            self._memory[int(argument)] = self._stack[-1]
        elif name in _FETCH:
            self._stack.append(self._memory[int(argument)])
        elif name == "MEMOIZE":
            self._memory[len(self._memory)] = self._stack[-1]
        elif name == "MARK":
            self._stack.append(_MARK)
        elif name == "STOP":
            self.result = self._stack.pop()
        elif name not in _NOTHING:
            self._build(name, argument)

    def _build(self, name: str, argument: Any) -> None:
        stack = self._stack
        if name.startswith("TUPLE"):
            items = self._since_mark() if name == "TUPLE" else self._last(int(name[5:]))
            stack.append(tuple(items))
        elif name in ("SETITEM", "SETITEMS"):
            items = self._last(2) if name == "SETITEM" else self._since_mark()
            _set_items(stack[-1], items)
        elif name in ("APPEND", "APPENDS"):
            items = self._last(1) if name == "APPEND" else self._since_mark()
            stack[-1].extend(items)
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            words = argument.split(" ") if name == "GLOBAL" else self._last(2)
            stack.append(_allowed(Name(*words)))
        elif name == "BINPERSID":
            stack.append(_storage(stack.pop()))
            self.storages[stack[-1].key] = stack[-1]
        elif name == "REDUCE":
            function, arguments = self._last(2)
            stack.append(_call(function, arguments))
        elif name == "BUILD":
            # What an ordered dictionary remembers beside its items, or the state of what is of no interest.
            stack.pop()
        else:
            raise ForbiddenPickleError(f"a pickle that wants to {name}")

    def _last(self, count: int) -> list[Any]:
        if count > len(self._stack):
            raise IndexError("too few values")
        items = self._stack[len(self._stack) - count :]
        del self._stack[len(self._stack) - count :]
        return items

    def _since_mark(self) -> list[Any]:
        start = len(self._stack) - 1 - self._stack[::-1].index(_MARK)
        items = self._stack[start + 1 :]
        del self._stack[start:]
        return items


_ORDERED = Name("collections", "OrderedDict")
_REBUILD = {Name("torch._utils", "_rebuild_tensor_v2"), Name("torch._utils", "_rebuild_tensor")}
_PARAMETER = Name("torch._utils", "_rebuild_parameter")
# NumPy arrays and numbers that training leaves beside the weights.
_HARMLESS = {
    Name("numpy", "dtype"),
    Name("numpy", "ndarray"),
    *(Name(f"numpy.{core}.multiarray", name) for core in ("core", "_core") for name in ("_reconstruct", "scalar")),
    Name("_codecs", "encode"),
}
_STORAGE_MODULES = {"torch", "torch.storage"}


def _allowed(name: Name) -> Name:
    known = name in {_ORDERED, _PARAMETER} | _REBUILD | _HARMLESS
    if not known and not (name.module in _STORAGE_MODULES and name.name.endswith("Storage")):
        raise ForbiddenPickleError(f"a pickle that names {name.module[:60]}.{name.name[:60]}")
    return name


def _call(function: Any, arguments: Any) -> Any:
    if not isinstance(function, Name) or not isinstance(arguments, tuple):
        raise ForbiddenPickleError("a pickle that calls what it made itself")
    if function == _ORDERED:
        return dict(*arguments)
    if function in _REBUILD:
        storage, offset, shape, strides = arguments[:4]
        if not isinstance(storage, Storage):
            raise ValueError("a tensor without numbers")
        return Tensor(storage, int(offset), _integers(shape), _integers(strides))
    if function == _PARAMETER:
        return arguments[0]
    if function in _HARMLESS:
        return Opaque(function)
    raise ForbiddenPickleError(f"a pickle that calls {function.module}.{function.name}")


def _storage(identity: Any) -> Storage:
    # ('storage', class, key, device, length), and in older files a view of it.
    if not isinstance(identity, tuple) or len(identity) < 5 or identity[0] != "storage":
        raise ForbiddenPickleError("a pickle that refers to something else than numbers")
    _, kind, key, _, length = identity[:5]
    if not isinstance(kind, Name) or (len(identity) > 5 and identity[5] is not None):
        raise ValueError("numbers of an unknown class")
    return Storage(kind.name, str(key), int(length))


def _integers(values: Any) -> tuple[int, ...]:
    return tuple(int(value) for value in values)


def _set_items(target: Any, items: list[Any]) -> None:
    if not isinstance(target, dict):
        raise ForbiddenPickleError("a pickle that sets items of something else than a dictionary")
    target.update(zip(items[::2], items[1::2], strict=True))
