"""The border between a test script and the program it tests: two processes, one socket, lines of JSON.

The script's side asks (`get` a name, `call` what stands behind a handle, and so on), the program's side answers. Only
the script's side believes nothing: what comes is decoded to plain data, and an object that is none becomes a `Remote`
whose operations are asked for across the border one by one. Truth, equality and arithmetic are never asked for.
"""

import builtins
import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

from .values import Foreign, pack, shown, unpack

__all__ = ["BorderClosed", "CannotCross", "Remote", "Visitor", "serve"]

_LONGEST_LINE = 64 << 20
# The first two steer the script's own iterations, the last is made of more than a message.
_UNSAID = (StopIteration, StopAsyncIteration, UnicodeError)
_MUTABLE = (list, dict, set, bytearray)


class BorderClosed(BaseException):
    """The program's process is gone. Not an `Exception`: a test that catches those must not go on without it."""


class CannotCross(BaseException):
    """The script gave the program what is no plain data: the script cannot be used here, whatever the program does."""


class Visitor:
    """The script's side.

    Attributes:
        crossed: How many answers have come.
        last: The last call, as a function that shows it; None before the first.
        open: Whether a call is under way.
    """

    def __init__(self, wire: socket.socket) -> None:
        self._wire = wire
        self._lines = wire.makefile("rb")
        self.crossed = 0
        self.last: Callable[[], str] | None = None
        self.open = False

    def get(self, name: str) -> Any:
        """Return what the program defines under a name: plain data, or a `Remote`.

        Raises:
            NameError: If it defines no such name.
        """
        return self._ask(["get", name])

    def call(self, remote: "Remote", arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Call a remote function.

        What it does to lists, sets and mappings given to it is done to ours, if it returns None, as functions do that
        work in place. Any other function could make a test compare its result with what it left of the question.
        """
        self.last = lambda: _shown_call(remote.kind, arguments, named)
        packed = [pack(value, self._pack_remote) for value in arguments]
        packed_named = {key: pack(value, self._pack_remote) for key, value in named.items()}
        return self._ask(["call", remote.handle, packed, packed_named], arguments)

    def ask(self, operation: str, remote: "Remote", *details: Any) -> Any:
        """Ask for another operation on a remote object."""
        return self._ask([operation, remote.handle, *(pack(detail, self._pack_remote) for detail in details)])

    @staticmethod
    def _pack_remote(value: Any) -> Any:
        if isinstance(value, Foreign) and value.handle >= 0:
            return {"x": [value.kind, value.handle]}
        raise CannotCross(f"a {type(value).__name__} cannot be given to the program under test, only plain data can")

    def _ask(self, request: list[Any], arguments: tuple[Any, ...] = ()) -> Any:
        self.open = True
        try:
            self._wire.sendall(json.dumps(request).encode() + b"\n")
            line = self._lines.readline(_LONGEST_LINE)
        except OSError:
            raise BorderClosed from None
        if not line.endswith(b"\n"):
            raise BorderClosed
        self.open = False
        self.crossed += 1
        try:
            answer = json.loads(line)
            if "e" in answer:
                kind, message = (str(part)[:1000] for part in answer["e"])
            else:
                value = unpack(answer["v"], self._remote)
                for index, packed in answer.get("w", ()) if value is None else ():
                    _overwrite(arguments[index], unpack(packed, self._remote))
                return value
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
            raise TypeError("the program answered with what is no value") from None
        if kind == "StopIteration" and request[0] == "next":
            raise StopIteration
        raise _exception(kind, message)

    def _remote(self, kind: str, handle: int) -> "Remote":
        return Remote(self, kind, handle)


def _shown_call(name: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> str:
    parts = [shown(value, 120) for value in arguments] + [f"{key}={shown(value, 120)}" for key, value in named.items()]
    return f"{name}({', '.join(parts)})"


def _overwrite(target: Any, value: Any) -> None:
    """Make a container equal to what the program left of its copy."""
    if type(target) is not type(value) or not isinstance(target, _MUTABLE):
        raise TypeError("not a container of the same type")
    target.clear()
    target.extend(value) if isinstance(target, list | bytearray) else target.update(value)


def _exception(kind: str, message: str) -> Exception:
    """Return the built-in exception of that name, so that a test can expect it.

    Not one that ends an iteration: `all(map(f, ...))` would end early and hold.
    """
    found = getattr(builtins, kind, None)
    if isinstance(found, type) and issubclass(found, Exception) and not issubclass(found, _UNSAID):
        return found(message)
    return RuntimeError(f"{kind}: {message}")


class Remote(Foreign):
    """An object of the program, from the script's side."""

    __slots__ = ("_visitor",)

    def __init__(self, visitor: Visitor, kind: str, handle: int) -> None:
        super().__init__(kind, handle)
        self._visitor = visitor

    def __call__(self, *arguments: Any, **named: Any) -> Any:  # noqa: D102
        return self._visitor.call(self, arguments, named)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._visitor.ask("attribute", self, name)

    def __getitem__(self, key: Any) -> Any:
        return self._visitor.ask("item", self, key)

    def __len__(self) -> int:
        return int(self._visitor.ask("length", self))

    def __iter__(self) -> Iterator[Any]:
        iterator = self._visitor.ask("iterate", self)
        while True:
            try:
                yield self._visitor.ask("next", iterator) if isinstance(iterator, Remote) else next(iterator)
            except StopIteration:
                return

    def __next__(self) -> Any:
        return self._visitor.ask("next", self)


def serve(wire: socket.socket, names: dict[str, Any]) -> None:
    """Answer the script's requests until it is done. Runs beside the program.

    Args:
        wire: The border.
        names: What the program defined.
    """
    objects: list[Any] = []

    def keep(value: Any) -> Any:
        objects.append(value)
        kind = getattr(value, "__name__", None) if callable(value) else None
        return {"x": [str(kind or type(value).__name__)[:100], len(objects) - 1]}

    def resolve(_kind: str, handle: int) -> Any:
        return objects[handle]

    for line in wire.makefile("rb"):
        operation, target, *details = json.loads(line)
        try:
            changed: list[Any] = []
            if operation == "get":
                if target not in names:
                    raise NameError(f"name {target!r} is not defined")
                value = names[target]
            elif operation == "call":
                arguments = [unpack(packed, resolve) for packed in details[0]]
                named = {key: unpack(packed, resolve) for key, packed in details[1].items()}
                value = objects[target](*arguments, **named)
                for index, (argument, before) in enumerate(zip(arguments, details[0], strict=True)):
                    if value is None and isinstance(argument, _MUTABLE) and (after := pack(argument, keep)) != before:
                        changed.append([index, after])
            else:
                value = _OPERATIONS[operation](objects[target], *(unpack(packed, resolve) for packed in details))
            answer: dict[str, Any] = {"v": pack(value, keep), **({"w": changed} if changed else {})}
        except BaseException as error:  # whatever the program raises is the test's to judge
            answer = {"e": [type(error).__name__, _message(error)]}
        wire.sendall(json.dumps(answer, separators=(",", ":")).encode() + b"\n")


_OPERATIONS: dict[str, Callable[..., Any]] = {
    "attribute": getattr,
    "item": lambda value, key: value[key],
    "length": len,
    "iterate": iter,
    "next": next,
}


def _message(error: BaseException) -> str:
    try:
        return str(error)[:300]
    except Exception:
        return "its message could not be read"
