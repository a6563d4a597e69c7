"""Follow a program line by line. This file is itself run inside the sandbox: nothing but the standard library.

`trace` runs one function of a program, or the whole of it, and notes every line that was executed with the variables
it changed. It calls no code of the program to show a value. The program shares its process and may stop or forge its
own trace, which harms nobody but itself; whoever reads the notes bounds them again.
"""

import io
import sys
import threading
from types import CodeType, FrameType
from typing import Any

__all__ = ["trace"]

_FILE = "<traced program>"
# Of collections and texts, no more than this is looked at.
_ITEMS = 8
_DEPTH = 3
_HUGE_BITS = 200

Note = tuple[int, int, str]
"""(step, line, text): the text holds `name=value` pairs, `return value` or an error's name, or nothing."""

# The program may replace the names in builtins; these were taken before it ran.
_type, _len, _repr, _sorted, _str, _type_name = type, len, repr, sorted, str, type.__dict__["__name__"].__get__


def trace(program: str, entry_point: str, arguments: list[Any], steps: int, width: int, seconds: float) -> list[Note]:
    """Run a program and return what was noted.

    Args:
        program: Python source.
        entry_point: The function that is called, `Class.method` on a new instance, or `""` for the whole program as
            `__main__`.
        arguments: Those of the function; of the whole program, its standard input as the only one.
        steps: Lines after which the program is left standing where it is.
        width: Longest text of one value, in characters.
        seconds: Wall-clock after which it is left where it is.
    """
    recorder = _Recorder(steps, width)

    def run() -> None:
        try:
            _run(program, entry_point, arguments, recorder)
        except BaseException:  # the program's own, and noted where it happened
            pass
        finally:
            recorder.over.set()

    # In a thread of its own, because a program that catches everything cannot be stopped, only left.
    threading.Thread(target=run, daemon=True).start()
    recorder.over.wait(seconds)
    return list(recorder.notes)


def _run(program: str, entry_point: str, arguments: list[Any], recorder: "_Recorder") -> None:
    names: dict[str, Any] = {"__name__": "program" if entry_point else "__main__", "__file__": _FILE}
    code = compile(program, _FILE, "exec", dont_inherit=True)
    if not entry_point:
        sys.stdin = io.StringIO(arguments[0])
        recorder.module = code
        sys.settrace(recorder.enter)
        exec(code, names)
        return
    exec(code, names)
    owner, _, method = entry_point.rpartition(".")
    function = getattr(names[owner](), method) if owner else names[method]
    sys.settrace(recorder.enter)
    function(*arguments)


class _Recorder:
    """Takes notes; every change belongs to the line that was left, not to the one that comes."""

    def __init__(self, steps: int, width: int) -> None:
        self.notes: list[Note] = []
        self.over = threading.Event()
        self.module: CodeType | None = None
        self._left = steps
        self._width = width
        self._never = threading.Lock()
        self._never.acquire()

    def enter(self, frame: FrameType, event: str, argument: object) -> Any:
        """Begin to follow a frame of the program (`sys.settrace`)."""
        del argument
        if frame.f_code.co_filename != _FILE or event != "call":
            return None
        if frame.f_trace is not None:
            return frame.f_trace  # a generator that goes on
        whole = frame.f_code is self.module
        if frame.f_code.co_name.startswith("<") and not whole:
            return None  # comprehensions and lambdas share the line they stand on
        seen = {} if whole else self._shown(frame)
        if not whole:
            self._note(frame.f_code.co_firstlineno + _decorators(frame), ", ".join(f"{k}={v}" for k, v in seen.items()))
        line: int | None = None
        resumed = False

        def follow(frame: FrameType, event: str, argument: object) -> Any:
            nonlocal seen, line, resumed
            if event == "exception":
                kind = argument[0] if _type(argument) is tuple else Exception  # type: ignore[index]
                self._note(frame.f_lineno, _type_name(kind))
                line = None  # the change that the line did not make is none
                return follow
            if line is not None:
                now = self._shown(frame)
                changes = [f"{k}={v}" for k, v in now.items() if seen.get(k) != v]
                if event == "return" and not whole:
                    changes.append(f"return {self._value(argument)}")
                seen = now
                if changes or not resumed:  # the line of a `yield` has been noted before it was left
                    self._note(line, ", ".join(changes))
            line, resumed = frame.f_lineno, event == "return"
            return follow

        return follow

    def _note(self, line: int, text: str) -> None:
        self.notes.append((_len(self.notes), line, text))
        self._left -= 1
        if self._left <= 0:
            self.over.set()
            self._never.acquire()  # stand still; the process ends when the notes have been read

    def _shown(self, frame: FrameType) -> dict[str, str]:
        names = frame.f_locals
        return {
            _str(name): self._value(value)
            for name, value in list(names.items())
            if not (_type(name) is str and name.startswith("__")) and not _is_machinery(value)
        }

    def _value(self, value: object) -> str:
        text = _shown(value, _DEPTH, self._width)
        return text if _len(text) <= self._width else text[: self._width - 1] + "…"


def _decorators(frame: FrameType) -> int:
    """Return how many lines the `def` stands below its first decorator."""
    first = frame.f_code.co_firstlineno
    # The first instruction of a function carries the line of its `def`.
    return max(0, min((n for *_, n in frame.f_code.co_lines() if n), default=first) - first)


def _is_machinery(value: object) -> bool:
    """Return whether a value is a module, class or function, which say nothing as text."""
    return _type_name(_type(value)) in ("module", "type", "function", "builtin_function_or_method")


def _shown(value: object, depth: int, width: int) -> str:
    """Write plain data of exactly the built-in types, shortened; of all else, the name of its type."""
    kind = _type(value)
    if value is None or kind is bool or kind is float or kind is complex:
        return _repr(value)
    if kind is int:
        bits = value.bit_length()  # type: ignore[attr-defined]
        return _repr(value) if bits <= _HUGE_BITS else f"<int of {bits} bits>"
    if kind is str or kind is bytes:
        return _repr(value[: width + 1])  # type: ignore[index]
    if kind not in (list, tuple, set, frozenset, dict) or depth == 0:
        return f"<{_type_name(kind)}>" if depth else "…"
    items: list[Any] = []
    # Another thread of the program may change it meanwhile.
    for item in value.items() if kind is dict else value:  # type: ignore[attr-defined, union-attr]
        items.append(item)
        if _len(items) > _ITEMS:
            break
    if kind is dict:
        texts = [f"{_shown(k, depth - 1, width)}: {_shown(v, depth - 1, width)}" for k, v in items]
    else:
        texts = [_shown(item, depth - 1, width) for item in items]
    if kind is set or kind is frozenset:
        texts = _sorted(texts)  # their own order differs from process to process
    if _len(texts) > _ITEMS:
        texts[_ITEMS:] = ["…"]
    inner = ", ".join(texts)
    if kind is tuple:
        return f"({inner},)" if _len(items) == 1 else f"({inner})"
    if kind is list:
        return f"[{inner}]"
    if not items:
        return "{}" if kind is dict else "set()"
    return f"{{{inner}}}"
