"""`palaestra envs`, `palaestra arenas` and `palaestra recipes`: what there is."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from palaestra.envs import catalogue
from palaestra.evolution.cli.configuration import ConfigFile
from palaestra.evolution.cli.output import check_writable, console_for, write
from palaestra.evolution.recipes import find_recipe
from palaestra.evolution.recipes import recipes as all_recipes
from rich import box
from rich.table import Table
from rich.text import Text

__all__ = ["arenas", "envs", "recipes"]

JsonFile = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the list as JSON; - is standard output.")]


def envs(json: JsonFile = None, _config: ConfigFile = None) -> None:
    """List the environments."""
    rows = [asdict(card) for card in catalogue.cards()]
    _put(json, {"envs": rows}, rows)


def arenas(json: JsonFile = None, _config: ConfigFile = None) -> None:
    """List the arenas, where agents play each other."""
    from palaestra.envs.arena.catalogue import arena_cards

    rows = [asdict(card) for card in arena_cards()]
    _put(json, {"arenas": rows}, rows)


def recipes(
    name: Annotated[
        str | None, typer.Argument(help="Show the options of this recipe, or of a file.", show_default="list all")
    ] = None,
    json: JsonFile = None,
    _config: ConfigFile = None,
) -> None:
    """List the recipes, or the options of one with their values, as `evolve --set` takes them."""
    if name is None:
        rows = [{"name": r.name, "summary": r.summary, "source": r.source} for r in all_recipes()]
        _put(json, {"recipes": rows}, rows)
        return
    recipe = find_recipe(name)
    from palaestra.evolution.recipe import describe

    options = {path: value for path, value in _leaves("", describe(recipe)) if path != "name"}
    _put(json, {"recipe": name, "options": options}, [{"option": p, "value": repr(v)} for p, v in options.items()])


def _leaves(path: str, part: Any) -> list[tuple[str, Any]]:
    """Return the values of a described recipe by the dotted path that sets them."""
    inner = dict(enumerate(part)) if isinstance(part, list) else part
    if not isinstance(inner, dict) or not inner:
        return [(path, part)]
    return [
        leaf for key, value in inner.items() if key != "kind" for leaf in _leaves(f"{path}.{key}".lstrip("."), value)
    ]


def _put(json: Path | None, value: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    check_writable(json)
    write(json, value)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for index, name in enumerate(rows[0]):
        table.add_column(name, no_wrap=index == 0, style="bold" if index == 0 else "")
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row.values()))
    console_for(json).print(table)
