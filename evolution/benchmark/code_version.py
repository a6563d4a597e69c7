"""Which code judges: a digest of the sources that a class depends on, so that a figure knows its judge."""

import ast
import platform
import sys
from functools import cache
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec, resolve_name
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["code_version"]

# What lies beneath these is reached by imports alone; beneath any other package a folder may hold files that are
# loaded by their place, as the sandbox's are.
_ROOTS = ("palaestra", "palaestra.envs", "palaestra.agents", "palaestra.evolution")


class _Source(NamedTuple):
    path: Path
    package: str
    imports: frozenset[str]


def code_version(of: type) -> dict[str, Any]:
    """Return what the code of a class is, as plain JSON values.

    Args:
        of: An environment or an agent.

    Returns:
        `digest` over the sources of its module and of all that this imports from the same package, whether at the top
        or within functions; and the versions of Python and of the `packages` that these import. The same code at
        another place has the same version; a changed comment is another.
    """
    family = of.__module__.partition(".")[0]
    modules: set[str] = set()
    others: set[str] = set()
    left = [of.__module__]
    while left:
        name = left.pop()
        if name in modules or name.partition(".")[0] not in (family, "palaestra"):
            others.add(name.partition(".")[0])
            continue
        if (source := _source(name)) is not None:
            modules.add(name)
            left += source.imports
            left += _beneath(source)
    content = blake2b(digest_size=16)
    for name in sorted(modules):
        source = _source(name)
        if source is not None:
            content.update(f"{name}\x1f".encode() + source.path.read_bytes() + b"\x1e")
    found = {name: of_package for name in sorted(others) if (of_package := _version(name)) is not None}
    python = ".".join(platform.python_version_tuple()[:2])
    return {"class": f"{of.__module__}:{of.__qualname__}", "digest": content.hexdigest(), "python": python} | (
        {"packages": found} if found else {}
    )


def _version(package: str) -> str | None:
    if package in sys.stdlib_module_names or package in ("palaestra", "__main__"):
        return None
    try:
        return version(package.replace("_", "-"))
    except PackageNotFoundError:
        return None


@cache
def _source(name: str) -> _Source | None:
    """Return a module's source and what it imports; None for what is no Python module."""
    try:
        spec = find_spec(name)
    except (ImportError, ValueError, AttributeError):
        spec = None
    loaded = sys.modules.get(name)
    origin = spec.origin if spec is not None else getattr(loaded, "__file__", None)
    if origin is None or not origin.endswith(".py") or not Path(origin).is_file():
        return None
    path = Path(origin)
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    tree = ast.parse(path.read_bytes())
    return _Source(path, package, frozenset(_imports(tree, package) | _named_files(tree, package, path.parent)))


def _imports(tree: ast.Module, package: str) -> set[str]:
    """Return the modules that a source imports, and what it takes from them, which may be modules too."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            dots = "." * node.level
            base = resolve_name(dots + (node.module or ""), package) if dots else node.module or ""
            found.add(base)
            found.update(f"{base}.{alias.name}" for alias in node.names if base.startswith("palaestra"))
    return found


def _named_files(tree: ast.Module, package: str, folder: Path) -> set[str]:
    """Return the modules beside a source that it names as files, to have them run elsewhere."""
    texts = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    names = {text for text in texts if isinstance(text, str) and text.endswith(".py") and "/" not in text}
    return {f"{package}.{name[:-3]}" for name in names if (folder / name).is_file()}


def _beneath(source: _Source) -> list[str]:
    """Return the modules in folders beneath a package's own."""
    if source.package in _ROOTS or not source.package.startswith("palaestra."):
        return []
    folder = source.path.parent
    return [
        ".".join([source.package, *path.relative_to(folder).with_suffix("").parts])
        for path in sorted(folder.glob("*/**/*.py"))
    ]
