"""Which files of this machine a program may read: the interpreter, shared libraries, and packages it was given."""

import importlib.util
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from palaestra.envs.errors import UsageError

__all__ = ["Places", "readable_places"]

_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64")
_OTHERS = ("/etc/ld.so.cache", "/usr/share/zoneinfo", "/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
_INSTALLED = ("site-packages", "dist-packages")


@dataclass(frozen=True)
class Places:
    """Files and folders.

    Attributes:
        shown: What a file system made for programs is built of.
        hidden: Folders within `shown` that shall be empty: installed packages may hold answers, or secrets.
        readable: The same as a list that names only what is allowed, for a machine where nothing can be hidden.
        packages_path: Where the packages given lie, for `sys.path`.
    """

    shown: tuple[str, ...]
    hidden: tuple[str, ...]
    readable: tuple[str, ...]
    packages_path: tuple[str, ...]


def readable_places(packages: Sequence[str]) -> Places:
    """Find what a program may read.

    Args:
        packages: Importable packages besides the standard library.

    Raises:
        UsageError: If a package is not installed.
    """
    standard = {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")}
    libraries = {Path(p).resolve() for p in (*_LIBRARIES, f"{sys.base_prefix}/lib") if Path(p).is_dir()}
    given = [place for name in packages for place in _package(name)]
    hidden = [
        place
        for library in libraries | standard
        for name in _INSTALLED
        for place in (library / name, *library.glob(f"python*/{name}"))
        if place.is_dir()
    ]
    readable = [entry for library in libraries for entry in _children(library) if not entry.name.startswith("python")]
    readable += [entry for folder in standard for entry in _children(folder) if entry.name not in _INSTALLED]
    return Places(
        shown=_texts([*libraries, *standard, *_OTHERS, *given]),
        hidden=_texts(hidden),
        readable=_texts([*readable, *_OTHERS, *given]),
        packages_path=tuple(dict.fromkeys(str(place.parent) for place in given)),
    )


def _texts(places: Iterable[Path | str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(place) for place in places))


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _package(name: str) -> list[Path]:
    """Return a package's folder or file, its bundled libraries and its metadata."""
    spec = importlib.util.find_spec(name)
    if spec is None or (spec.origin is None and not spec.submodule_search_locations):
        raise UsageError(f"Programs were to be given the package {name!r}, which is not installed: pip install it.")
    folders = [Path(p) for p in spec.submodule_search_locations or ()]
    found = folders or [Path(str(spec.origin))]
    beside = found[0].parent
    return [*found, *beside.glob(f"{name}.libs"), *beside.glob(f"{name}*.dist-info")]
