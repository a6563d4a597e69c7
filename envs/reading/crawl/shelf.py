"""Where sites lie as files: those of a person's own, and those that were made up, which are written here once."""

import shutil
import tempfile
import threading
import weakref
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.envs.reading.crawl.generator import LEVELS, build_site
from palaestra.envs.reading.crawl.site import CARD, Site, load_site, save_site
from palaestra.envs.reading.crawl.templates import TEMPLATES
from palaestra.envs.task import Json, Task

__all__ = ["FORMAT", "Shelf", "folders", "made_up", "shared_shelf"]

FORMAT = "crawl"
# Written sites that are kept at a time; each takes some 40 kB.
_KEPT = 500


def made_up(template: str, seed: int, level: int) -> dict[str, Json]:
    """Return the reference of a site that is made up.

    Raises:
        UnknownNameError: If there is no such template.
        UsageError: If there is no such level.
    """
    if template not in TEMPLATES:
        raise UnknownNameError("template", template, TEMPLATES)
    if level not in LEVELS:
        raise UsageError(f"level must be from {LEVELS[0]} to {LEVELS[-1]}, got {level}.")
    return {"format": FORMAT, "template": template, "site": seed, "level": level}


def folders(path: Path) -> list[Path]:
    """Return the folders of sites in a folder, or that folder if it is one.

    Raises:
        UsageError: If there is none.
    """
    found = [path] if (path / CARD).is_file() else sorted(card.parent for card in path.glob(f"*/{CARD}"))
    if not found:
        raise UsageError(f"{path} holds no site: expected {CARD}, or folders with one; see docs/environments.md.")
    return found


class Shelf:
    """Reads sites from files, those that are made up too, whose files it writes first. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read: OrderedDict[str, Site] = OrderedDict()
        self._folder: Path | None = None

    def of(self, task: Task) -> Site:
        """Return the site of a task; what it holds is in the reference, and where it lies in the metadata.

        Raises:
            UsageError: If it is none, its files cannot be read, or they hold something else now.
        """
        folder, given = task.metadata.get("folder"), task.reference
        if not isinstance(folder, str) or not isinstance(given, Mapping) or "content" not in given:
            return self.site(given)
        site = self.site({"folder": folder})
        if site.digest != given["content"]:
            with self._lock:
                self._read.pop(folder, None)
            site = self.site({"folder": folder})
        if site.digest != given["content"]:
            raise UsageError(f"{folder} holds other pages than the task {task.id!r} was made of. Restore them.")
        return site

    def site(self, reference: Json) -> Site:
        """Return the site of a reference.

        Raises:
            UsageError: If it is none, or its files cannot be read.
        """
        given = reference if isinstance(reference, Mapping) else {}
        folder, template, seed, level = (given.get(key) for key in ("folder", "template", "site", "level"))
        if isinstance(folder, str):
            return self._kept(Path(folder), None)
        if not isinstance(template, str) or not isinstance(seed, int) or not isinstance(level, int):
            raise UsageError(f"expected a reference with template, site and level, or a folder; got {str(given)[:80]}")
        made_up(template, seed, level)
        return self._kept(self._own() / f"{template}-{seed}-{level}", (template, seed, level))

    def _own(self) -> Path:
        with self._lock:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="palaestra-sites-"))
                weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
            return self._folder

    def _kept(self, folder: Path, made: tuple[str, int, int] | None) -> Site:
        with self._lock:
            if str(folder) not in self._read:
                if made is not None:
                    save_site(build_site(*made), folder)
                self._read[str(folder)] = load_site(folder)
            self._read.move_to_end(str(folder))
            while len(self._read) > _KEPT:
                oldest = Path(self._read.popitem(last=False)[0])
                if oldest.parent == self._folder:
                    shutil.rmtree(oldest, ignore_errors=True)
            return self._read[str(folder)]


_shared = Shelf()


def shared_shelf() -> Shelf:
    """Return the process's own; what it wrote goes with the process."""
    return _shared
