"""PettingZoo's environments by name: which there are, what builds them, and what to install when it cannot."""

import importlib
import importlib.util
import pkgutil
import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Final

import pettingzoo
from palaestra.envs.arena.writers.classic import CLASSIC
from palaestra.envs.errors import UnknownNameError, UsageError

__all__ = ["builder", "full_name", "spoken_names"]

_FAMILIES: Final = ("atari", "butterfly", "classic", "mpe", "sisl")


def spoken_names() -> tuple[str, ...]:
    """Return the names of all environments that PettingZoo brings and of all that have a writer: `classic/rps_v2`."""
    found = {f"classic/{name}" for name in CLASSIC}
    for family in _FAMILIES:
        spec = importlib.util.find_spec(f"pettingzoo.{family}")
        for module in pkgutil.iter_modules(spec.submodule_search_locations if spec else None):
            if spec and re.search(r"_v\d+$", module.name):
                found.add(f"{family}/{module.name}")
    return tuple(sorted(found))


def full_name(name: str) -> str:
    """Return a name with its family: `classic/rps_v2` for `rps_v2`.

    Raises:
        UnknownNameError: If no environment has this name.
    """
    known = spoken_names()
    found = [full for full in known if name in (full, full.partition("/")[2], f"pettingzoo/{full}")]
    if not found:
        shorts = [full.partition("/")[2] for full in known]
        advice = "An environment of your own is given as an object: spoken(env)."
        raise UnknownNameError("PettingZoo environment", name, [*known, *shorts], advice)
    return found[0]


def builder(name: str, settings: Mapping[str, Any]) -> Callable[[], Any]:
    """Return what builds an environment of a full name; built or not, a package that is missing is a UsageError."""
    build = _found(name)
    return lambda: _built(name, build, settings)


def _found(name: str) -> Callable[..., Any]:
    family, _, short = name.partition("/")
    classic = CLASSIC.get(short)
    try:
        if classic is not None:
            return classic.builder()
        with warnings.catch_warnings():
            # PettingZoo 1.27 would rather be asked through its registry, which earlier versions lack.
            warnings.simplefilter("ignore", DeprecationWarning)
            build: Callable[..., Any] = importlib.import_module(f"pettingzoo.{family}.{short}").env
            return build
    except ImportError as error:
        raise _missing(name, error) from error


def _built(name: str, build: Callable[..., Any], settings: Mapping[str, Any]) -> Any:
    try:
        return build(**settings)
    except ImportError as error:
        raise _missing(name, error) from error
    except Exception as error:  # whatever a foreign environment raises for settings it dislikes
        given = f" with {dict(settings)}" if settings else ""
        raise UsageError(f"{name} cannot be built{given}: {type(error).__name__}: {error}") from error


def _missing(name: str, error: ImportError) -> UsageError:
    """Return what to install, or why nothing helps."""
    family, _, short = name.partition("/")
    gone = CLASSIC[short].gone if short in CLASSIC else ""
    if gone and (error.name or "").startswith("pettingzoo"):
        return UsageError(f"{name} is not in PettingZoo {pettingzoo.__version__}. {gone}")
    extra = "palaestra[classic]" if family == "classic" else f"pettingzoo[{family}]"
    return UsageError(f"{name} needs a package that is not here ({error}): pip install '{extra}'.")
