"""Reads the few pickles that PyTorch writes around its tensors, without running them.

A pickle is a program that may call any function. Here its steps are walked by `pickletools.genops`, which runs nothing,
and only those are followed that build plain containers, numbers, text, and the records of tensors; whatever else it
names or calls is refused.

A small pickle can also describe what is too deep or too wide for Python itself. So the steps, the depth and the sizes
are bounded, and no value of a pickle is hashed, compared or shown before it is known to be plain text or a number.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple

_STEPS_LIMIT = 2_000_000
"""Most steps, with the items that are copied in one of them."""
_DEPTH_LIMIT = 100
"""Most containers within one another: Python walks them on the C stack, which has an end."""
_AXES_LIMIT = 32
_NAME_LIMIT = 10_000
"""Most letters of a key: equal ones are compared letter by letter, again at every step."""
_NUMBERS_LIMIT = 1 << 60
"""Below it whole numbers are their own hash, so that none are chosen to share one; no size or number of a value in
a pickle comes near."""


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
        for operation, argument, _ in pickletools.genops(file):
            machine.step(operation.name, argument)
    except (IndexError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"a damaged pickle ({error})") from error
    return Pickle(machine.result, machine.storages)


class _Tuple(tuple[Any, ...]):
    depth = 1
    """Containers within one another here, with this one."""
    enclosed = False
    """Whether it stands in another container."""


class _List(list[Any]):
    depth = 1
    enclosed = False


class _Dict(dict[Any, Any]):
    depth = 1
    enclosed = False


_Container = (_Tuple, _List, _Dict)
_CONTAINERS: dict[str, Callable[[], Any]] = {"EMPTY_DICT": _Dict, "EMPTY_LIST": _List, "EMPTY_TUPLE": _Tuple}
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
        self._below: list[list[Any]] = []
        """Stacks beneath the marks that are open."""
        self._memory: dict[int, Any] = {}
        self._left = _STEPS_LIMIT
        self.result: Any = None
        self.storages: dict[str, Storage] = {}

    def step(self, name: str, argument: Any) -> None:
        """Follow one step."""
        self._spend(1)
        if name in _VALUES:
            self._stack.append(argument)
        elif name in _CONTAINERS:
            self._stack.append(_CONTAINERS[name]())
        elif name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name])
        elif name in _STORE:
            self._memory[_natural(int(argument))] = self._stack[-1]
        elif name in _FETCH:
            self._stack.append(self._memory[_natural(int(argument))])
        elif name == "MEMOIZE":
            self._memory[len(self._memory)] = self._stack[-1]
        elif name == "MARK":
            self._below.append(self._stack)
            self._stack = []
        elif name == "STOP":
            self.result = self._stack.pop()
        elif name not in _NOTHING:
            self._build(name, argument)

    def _build(self, name: str, argument: Any) -> None:
        if name.startswith("TUPLE"):
            items = self._since_mark() if name == "TUPLE" else self._last(int(name[5:]))
            self._stack.append(_tuple(items))
        elif name in ("SETITEM", "SETITEMS"):
            items = self._last(2) if name == "SETITEM" else self._since_mark()
            _set_items(self._stack[-1], items)
        elif name in ("APPEND", "APPENDS"):
            items = self._last(1) if name == "APPEND" else self._since_mark()
            _append(self._stack[-1], items)
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            words = argument.split(" ") if name == "GLOBAL" else self._last(2)
            self._stack.append(_allowed(*words))
        elif name == "BINPERSID":
            storage = _storage(self._stack.pop())
            self._stack.append(storage)
            self.storages[storage.key] = storage
        elif name == "REDUCE":
            function, arguments = self._last(2)
            # The same long list of items may be given at every step.
            self._spend(sum(len(given) for given in arguments if isinstance(given, (_Tuple, _List))))
            self._stack.append(_call(function, arguments))
        elif name == "BUILD":
            # What an ordered dictionary remembers beside its items, or the state of what is of no interest.
            self._stack.pop()
        else:
            raise ForbiddenPickleError(f"a pickle that wants to {name}")

    def _spend(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise ValueError("a pickle of too many steps")

    def _last(self, count: int) -> list[Any]:
        if count > len(self._stack):
            raise IndexError("too few values")
        items = self._stack[len(self._stack) - count :]
        del self._stack[len(self._stack) - count :]
        return items

    def _since_mark(self) -> list[Any]:
        items, self._stack = self._stack, self._below.pop()
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


def _allowed(module: Any, name: Any) -> Name:
    if not isinstance(module, str) or not isinstance(name, str):
        raise ForbiddenPickleError("a pickle that names something by what is no text")
    found = Name(module, name)
    known = found in {_ORDERED, _PARAMETER} | _REBUILD | _HARMLESS
    if not known and not (module in _STORAGE_MODULES and name.endswith("Storage")):
        raise ForbiddenPickleError(f"a pickle that names {module[:60]}.{name[:60]}")
    return found


def _call(function: Any, arguments: Any) -> Any:
    if not isinstance(function, Name) or not isinstance(arguments, tuple):
        raise ForbiddenPickleError("a pickle that calls what it made itself")
    if function == _ORDERED:
        return _dictionary(*arguments)
    if function in _REBUILD:
        storage, offset, shape, strides = arguments[:4]
        if not isinstance(storage, Storage):
            raise ValueError("a tensor without numbers")
        return Tensor(storage, _natural(offset), _naturals(shape), _naturals(strides))
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
    if not isinstance(key, str) or not _is_plain(key):
        raise ValueError("numbers whose name is no text, or too long")
    return Storage(kind.name, key, _natural(length))


def _naturals(values: Any) -> tuple[int, ...]:
    if not isinstance(values, (tuple, list)) or len(values) > _AXES_LIMIT:
        raise ValueError(f"a tensor without a list of at most {_AXES_LIMIT} sizes")
    return tuple(_natural(value) for value in values)


def _natural(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value < _NUMBERS_LIMIT:
        raise ValueError("a size or a number that is none, negative or far too large")
    return value


def _tuple(items: list[Any]) -> _Tuple:
    made = _Tuple(items)
    _enclose(made, items)
    return made


def _dictionary(pairs: Any = ()) -> _Dict:
    # Python 2 gave an ordered dictionary its items at once, as a list of pairs.
    if not isinstance(pairs, (tuple, _List)) or not all(
        isinstance(pair, (_Tuple, _List)) and len(pair) == 2 for pair in pairs
    ):
        raise ValueError("a dictionary made of something else than pairs")
    made = _Dict()
    _set_items(made, [part for pair in pairs for part in pair])
    return made


def _append(target: Any, items: list[Any]) -> None:
    if not isinstance(target, _List):
        raise ForbiddenPickleError("a pickle that appends to something else than a list")
    _enclose(target, items)
    target.extend(items)


def _set_items(target: Any, items: list[Any]) -> None:
    if not isinstance(target, _Dict):
        raise ForbiddenPickleError("a pickle that sets items of something else than a dictionary")
    if not all(map(_is_plain, items[::2])):
        raise ValueError("a dictionary with a key that is neither a short text nor a number")
    _enclose(target, items[1::2])
    target.update(zip(items[::2], items[1::2], strict=True))


def _is_plain(key: Any) -> bool:
    if isinstance(key, str):
        return len(key) <= _NAME_LIMIT
    return isinstance(key, int) and abs(key) < _NUMBERS_LIMIT


def _enclose(target: Any, items: list[Any]) -> None:
    """Note how deep a container gets with these items; those among them that are containers may grow no more."""
    if target.enclosed:
        raise ValueError("a pickle that fills a container which stands in another already")
    for item in items:
        if isinstance(item, _Container):
            item.enclosed = True
            target.depth = max(target.depth, item.depth + 1)
    if target.depth > _DEPTH_LIMIT or target.enclosed:
        raise ValueError(f"containers more than {_DEPTH_LIMIT} deep, or within themselves")
