"""What a forked process does with a program nobody trusts, once the limits are on.

Everything here runs in the same process as the program and may be read and changed by it. So nothing here decides
anything: it loads, calls and writes down what came back.
"""

import atexit
import json
import os
import sys
import time
import types
from collections.abc import Callable
from typing import Any

from .values import pack, unpack

__all__ = ["OUTPUT_FULL", "call", "described", "loaded", "record", "rehearse", "run"]

# The exit code of a process whose results did not fit where they are written.
OUTPUT_FULL = 71
_SOURCE = "<program>"

# Bound before any program runs: a patched one shall harm nobody but itself.
_write, _exit, _perf_counter = os.write, os._exit, time.perf_counter
_dumps = json.JSONEncoder(separators=(",", ":")).encode


def record(file: int, entry: dict[str, Any]) -> None:
    """Append one line to the results."""
    line = _dumps(entry).encode() + b"\n"
    try:
        while line:
            line = line[_write(file, line) :]
    except OSError:
        _exit(OUTPUT_FULL)


def described(error: BaseException, source: str = _SOURCE) -> str:
    """Return one line that names an error, and the line of the source it came from."""
    try:
        message = str(error)[:300]
    except Exception:
        message = "its message could not be read"
    line = 0
    if isinstance(error, SyntaxError) and error.filename == source:
        message, line = str(error.msg)[:300], error.lineno or 0
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == source:
            line = trace.tb_lineno
        trace = trace.tb_next
    said = f"{type(error).__name__}: {message}" if message else type(error).__name__
    return f"{said} (line {line})" if line else said


def _load(program: str, name: str) -> dict[str, Any]:
    """Run a program's source in a module of its own and return the module's names."""
    module = types.ModuleType(name)
    sys.modules[name] = module
    code = compile(program, _SOURCE, "exec", dont_inherit=True)
    exec(code, module.__dict__)
    return module.__dict__


def _found(names: dict[str, Any], entry_point: str) -> Callable[..., Any]:
    """Return a function by its name; of `Class.method`, the method of a new instance."""
    first, _, method = entry_point.partition(".")
    if first not in names:
        raise NameError(f"name {first!r} is not defined")
    found = names[first]
    return getattr(found(), method) if method else found  # type: ignore[no-any-return]


def call(payload: dict[str, Any], results: int) -> None:
    """Call one function many times; a line of results for each call, then one that says how all ended."""
    names = loaded(payload["program"], "program", results)
    if names is None:
        return
    for index, arguments in enumerate(payload["calls"]):
        copies = [unpack(packed) for packed in arguments]
        started = _perf_counter()
        try:
            value = _found(names, payload["entry_point"])(*copies)
            entry: dict[str, Any] = {"i": index, "v": pack(value)}
        except BaseException as error:  # including SystemExit: a call that ends the process has returned nothing
            entry = {"i": index, "e": described(error)}
        record(results, {**entry, "s": round(_perf_counter() - started, 6)})
    record(results, {"end": "finished"})


# A little of everything that programs do.
_SAMPLE = """
from typing import Any, List
import math
def f(numbers: List[int], text: str) -> Any:
    counts = {}
    for i, x in enumerate(numbers):
        if x % 2 == 0 and x > 0 or not x:
            counts[x] = counts.get(x, 0) + 1
        elif x not in counts:
            counts[x] = [c for c in text if c.isalpha()]
    rest = sorted(numbers, key=lambda v: -v)
    while rest:
        rest.pop()
    words = "".join(c.upper() if c.islower() else c.lower() for c in text).split(" ")
    return numbers[::-1], set(numbers), tuple(words), math.sqrt(4.0), f"{sum(numbers)}", str(abs(-1.5)), int("3")
"""
_REHEARSALS = 20


def rehearse(nowhere: int) -> None:
    """Call a program of ours often enough that the interpreter has optimised what every forked process will do.

    Args:
        nowhere: An open file that forgets what is written.
    """
    calls = [[[1, 2, 3, 4, 0], "Hello World"], [{"t": [5, 6]}, "x y"]]
    for _ in range(_REHEARSALS):
        call({"program": _SAMPLE, "entry_point": "f", "calls": calls}, nowhere)
    del sys.modules["program"]


def run(payload: dict[str, Any], results: int) -> None:
    """Run a whole program as `__main__`, to the end of its threads."""
    sys.argv = ["program.py"]
    end: dict[str, Any] = {"end": "finished"}
    try:
        try:
            _load(payload["program"], "__main__")
        finally:
            # As the interpreter itself does when a program ends. Not imported above: its hook would slow every fork.
            if "threading" in sys.modules:
                sys.modules["threading"]._shutdown()
            atexit._run_exitfuncs()
            sys.stdout.flush()
    except SystemExit as error:
        if error.code not in (None, 0):
            end = {"end": "exited", "error": f"SystemExit: {str(error.code)[:100]}"}
    except BaseException as error:
        end = {"end": "raised", "error": described(error)}
    record(results, end)


def loaded(program: str, name: str, results: int) -> dict[str, Any] | None:
    """Load a program to be called; where it does not load, write down why and return None."""
    try:
        return _load(program, name)
    except SystemExit as error:
        record(results, {"end": "exited", "error": f"SystemExit: {str(error.code)[:100]}"})
    except BaseException as error:
        record(results, {"end": "raised", "error": described(error)})
    return None
