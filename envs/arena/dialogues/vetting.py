"""Runs in the sandbox: looks at a program that was proposed, without running it, and reads the literals beside it.

It is loaded there as a text of its own, so it imports nothing of this project.
"""

import ast
from typing import Any

ALLOWED = (
    "bisect", "collections", "copy", "decimal", "fractions", "functools", "heapq", "itertools", "math", "operator",
    "re", "string", "typing",
)  # fmt: skip

# What makes two runs differ, or reaches beyond the program; the sandbox, not these lists, is what keeps it in.
FUNCTIONS = frozenset((
    "breakpoint", "compile", "delattr", "dir", "eval", "exec", "exit", "getattr", "globals", "hash", "help", "id",
    "input", "locals", "memoryview", "object", "open", "quit", "setattr", "vars",
))  # fmt: skip
MODULES = frozenset((
    "builtins", "gc", "importlib", "inspect", "os", "random", "secrets", "socket", "sys", "threading", "time",
    "weakref",
))  # fmt: skip


def vet(program: str, inputs: list[str]) -> tuple[str, str, list[Any]]:
    """Return what is wrong with a program (empty for nothing), the program in one spelling, and the inputs read."""
    tree = ast.parse(program)
    arguments = [read(text) for text in inputs]
    for node in ast.walk(tree):
        wrong = _wrong(node)
        if wrong:
            return wrong, "", []
    for node in ast.walk(tree):
        _strip(node)
    if not any(isinstance(node, ast.FunctionDef) and node.name == "f" for node in tree.body):
        return "it defines no function f", "", []
    return "", ast.unparse(tree), arguments


def read(text: str) -> Any:
    """Read the arguments of a call, literals separated by commas, as a tuple."""
    text = text.strip().removesuffix(",")
    return ast.literal_eval(f"(\n{text}\n,)") if text else ()


def read_value(text: str) -> Any:
    """Read one literal."""
    return ast.literal_eval(text.strip())


def _wrong(node: ast.AST) -> str:
    if isinstance(node, ast.Import | ast.ImportFrom):
        from_module = isinstance(node, ast.ImportFrom)
        modules = [node.module or "."] if from_module else [alias.name for alias in node.names]  # type: ignore[union-attr]
        if any(module not in ALLOWED for module in modules) or (from_module and node.level):  # type: ignore[union-attr]
            return f"it may not import {', '.join(modules)}"
        names = [alias.name for alias in node.names] if from_module else []
        forbidden = MODULES
    elif isinstance(node, ast.Attribute):
        names, forbidden = [node.attr], MODULES
        if node.attr.startswith("_"):
            return f"it may not use .{node.attr}"
    elif isinstance(node, ast.Name):
        names, forbidden = [node.id], FUNCTIONS
    else:
        return ""
    found = [name for name in names if name in forbidden or name.startswith("__") or name == "*"]
    return f"it may not use {found[0]}" if found else ""


def _strip(node: ast.AST) -> None:
    """Take a docstring away: like comments, which are gone already, it could say the answer."""
    if not isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return
    body = node.body
    if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        node.body = body[1:] or [ast.Pass()]
