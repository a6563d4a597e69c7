"""The default service of a session: Python that remembers, like an interpreter's prompt."""

import ast
import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

from .program import described

__all__ = ["answer"]

_SOURCE = "<cell>"
_LONGEST_OUTPUT = 20_000

_names: dict[str, Any] = {"__name__": "__main__"}


def answer(request: Any) -> Any:
    """Run `request["code"]` and return what it printed, with the value of a last expression, and its error."""
    printed = io.StringIO()
    error = ""
    with redirect_stdout(printed), redirect_stderr(printed):
        try:
            _run(str(request["code"]))
        except BaseException as raised:  # SystemExit ends a program, not the session
            error = described(raised, _SOURCE)
    text = printed.getvalue()
    if len(text) > _LONGEST_OUTPUT:
        cut = len(text) - _LONGEST_OUTPUT
        text = f"{text[: _LONGEST_OUTPUT // 2]}\n… {cut} characters left out …\n{text[-_LONGEST_OUTPUT // 2 :]}"
    return {"output": text, "error": error}


def _run(code: str) -> None:
    tree = ast.parse(code, _SOURCE)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, _SOURCE, "exec", dont_inherit=True), _names)
    if isinstance(last, ast.Expr):
        value = eval(compile(ast.Expression(last.value), _SOURCE, "eval", dont_inherit=True), _names)
        if value is not None:
            sys.stdout.write(f"{value!r}\n")
