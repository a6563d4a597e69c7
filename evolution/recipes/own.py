"""Recipes in files of people's own: a file that holds `recipe`, a `Recipe` or a function that returns one.

The file is run as the Python that it is. Its text is kept in the run, so that a run resumes with the recipe that it was
begun with, whatever has become of the file.
"""

import re
import sys
from collections.abc import Callable, Mapping
from hashlib import blake2b
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from palaestra.envs.errors import PalaestraError, UsageError

if TYPE_CHECKING:
    from palaestra.evolution.recipe import Recipe

__all__ = ["is_own", "own_recipe", "read_own"]

_SUFFIX = ".py"
_HOW = "Let it hold `recipe`, a Recipe or a function that returns one; see docs/recipes.md."
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]*")


def is_own(name: str) -> bool:
    """Return whether a recipe's name is the path of a file."""
    return name.endswith(_SUFFIX)


def read_own(path: str) -> str:
    """Return the text of a recipe's file.

    Raises:
        UsageError: If it cannot be read.
    """
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"The recipe {path} cannot be read: {reason}. Give the path of a Python file.") from error


def own_recipe(source: str, path: str, settings: Mapping[str, object] | None = None) -> "Recipe":
    """Build the recipe of a file, with options set by dotted path.

    Args:
        source: The file's text.
        path: Where it lies or lay, for messages.
        settings: As for `find_recipe`.

    Raises:
        UsageError: If the file does not run, or holds no recipe.
        UnknownNameError: If an option's path leads nowhere.
    """
    from palaestra.evolution.recipe import Recipe, configure

    module = ModuleType(f"palaestra_own_{blake2b(source.encode(), digest_size=8).hexdigest()}")
    module.__file__ = path
    # Where dataclasses, and whoever asks for the types of their fields, look a class's names up.
    sys.modules[module.__name__] = module
    _tried(lambda: exec(compile(source, path, "exec"), module.__dict__), path)
    if not hasattr(module, "recipe"):
        raise UsageError(f"{path} defines no `recipe`. {_HOW}")
    found = module.recipe
    built = _tried(found, path) if callable(found) else found
    if not isinstance(built, Recipe):
        raise UsageError(f"`recipe` of {path} gives a {type(built).__name__}, expected a Recipe. {_HOW}")
    if not _NAME.fullmatch(built.name):
        raise UsageError(
            f"The recipe of {path} is named {built.name!r}; runs are named after it, so a name is made of letters, "
            "digits and + . _ -."
        )
    return configure(built, settings or {})


def _tried(work: Callable[[], Any], path: str) -> Any:
    """Do what stands in the file; what it raises is said in one line that names the file's own."""
    try:
        return work()
    except PalaestraError as error:
        raise UsageError(f"{path}{_line(error, path)}: {error}") from error
    except SyntaxError as error:
        raise UsageError(f"{path}, line {error.lineno}: {error.msg}. The file must be Python.") from error
    except Exception as error:
        raise UsageError(f"{path}{_line(error, path)}: {type(error).__name__}: {error}") from error


def _line(error: BaseException, path: str) -> str:
    """Return the last line of the file that was at work."""
    last, trace = "", error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == path:
            last = f", line {trace.tb_lineno}"
        trace = trace.tb_next
    return last
