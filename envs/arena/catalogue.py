"""Names of arenas, resolved lazily."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from palaestra.envs.adapters import prefixes
from palaestra.envs.arena.arena import Arena
from palaestra.envs.arena.game import GameArena
from palaestra.envs.arena.rules import Rules
from palaestra.envs.catalogue import Card
from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.envs.settings import import_module, loaded, read_settings, settable

__all__ = ["arena_cards", "is_arena", "make_arena", "register_arena", "rules_of"]


@dataclass(frozen=True)
class _Entry:
    id: str
    raw_env: str | Callable[..., Arena]
    summary: str

    @property
    def short(self) -> str:
        """The id without its version."""
        return self.id.rpartition("_v")[0]


def _ours(id: str, summary: str) -> _Entry:
    return _Entry(id, f"palaestra.envs.arena.{id}:raw_env", summary)


_ENTRIES: Final = {
    entry.id: entry
    for entry in (
        _ours("tic_tac_toe_v0", "Three in a row on nine cells"),
        _ours("connect_four_v0", "Four in a line, by dropping pieces into columns"),
        _ours("nim_v0", "Take from piles; the last piece wins, or loses with misere=true"),
        _ours("kuhn_poker_v0", "One card each, one bet; 2 to 10 players"),
        _ours("leduc_poker_v0", "Poker with six cards and two rounds of betting"),
        _ours("liars_dice_v0", "Bid on hidden dice or call the last bid a lie; 2 to 6 players"),
        _ours("goofspiel_v0", "Bid cards for prizes, both at the same time"),
        _ours("prisoners_dilemma_v0", "Cooperate or defect, both at the same time, for several rounds"),
        _ours("negotiation_v0", "Share out items that are worth something else to each"),
        _ours("debate_v0", "Argue over a question whose answer a machine can check, before a judge"),
        _ours("proposer_solver_v0", "Set tasks that others solve sometimes, or solve them"),
    )
}
_SPOKEN: Final = "pettingzoo"
_ADVICE: Final = (
    "`palaestra arenas` lists ours; `pettingzoo:tictactoe_v3` speaks one of PettingZoo's; `module:name` imports the "
    "module first, which calls `register_arena`."
)
# These are the caller's, not a spec's.
_NOT_SETTABLE: Final = {"render_mode", "env", "writer"}


def register_arena(name: str, raw_env: str | Callable[..., Arena], summary: str = "") -> None:
    """Add an arena to the catalogue.

    Args:
        name: With its version, such as `"my_game_v0"`.
        raw_env: What makes the arena, or `"module:attribute"`, which is imported when it is first made. What a spec
            may set are its named parameters.
        summary: One line for people.

    Raises:
        UsageError: If the name has no version, or means another arena already.
    """
    short, _, version = name.rpartition("_v")
    if not short or not version.isdigit():
        raise UsageError(f"An arena's name ends in its version, such as 'my_game_v0', got {name!r}.")
    known = _ENTRIES.get(name)
    # A module that is loaded again registers its arenas again.
    if known is not None and _origin(known.raw_env) != _origin(raw_env):
        raise UsageError(f"There is an arena {name!r} already; a changed one is a new version.")
    _ENTRIES[name] = _Entry(name, raw_env, summary)


def _origin(raw_env: str | Callable[..., Arena]) -> str:
    return raw_env if isinstance(raw_env, str) else f"{raw_env.__module__}:{getattr(raw_env, '__qualname__', raw_env)}"


def arena_cards() -> tuple[Card, ...]:
    """Return what a list of the arenas shows."""
    return tuple(
        Card(entry.id, entry.summary, ", ".join(settable(loaded(entry.raw_env), except_for=_NOT_SETTABLE)))
        for entry in _ENTRIES.values()
    )


def make_arena(spec: str) -> Arena:
    """Build the arena that a spec names, without PettingZoo's wrappers.

    A spec is `name` or `name?key=value&key=value`; values are numbers, true, false or text. The name is one of ours,
    with its version or without (the newest, then); `pettingzoo:name` speaks a game of PettingZoo's, `openspiel:name`
    and `textarena:name` play those of OpenSpiel and TextArena; `module:name` imports the module first, which calls
    `register_arena`.

    Args:
        spec: Names the arena and its settings.

    Raises:
        UnknownNameError: If no arena has this name.
        UsageError: If a setting is unknown or has a wrong value.
    """
    if prefixes.adapter_of(spec) is not None:
        return _checked(spec, prefixes.build(spec, arena=True))
    name, _, query = spec.partition("?")
    module, _, name = name.strip().rpartition(":")
    build: Callable[..., Any]
    if module == _SPOKEN:
        build = partial(loaded("palaestra.envs.arena.spoken:spoken"), name)
    else:
        if module:
            import_module(module)
        build = loaded(_entry(name).raw_env)
    parameters = settable(build, except_for=_NOT_SETTABLE)
    return _checked(name, build(**read_settings(spec, query, parameters, others=module == _SPOKEN)))


def _checked(name: str, arena: object) -> Arena:
    if not isinstance(arena, Arena):
        raise UsageError(f"{name} made a {type(arena).__name__}, expected an Arena.")
    return arena


def _entry(name: str) -> _Entry:
    if name in _ENTRIES:
        return _ENTRIES[name]
    found = [entry for entry in _ENTRIES.values() if name.lower() in (entry.id.lower(), entry.short.lower())]
    if not found:
        raise UnknownNameError("arena", name, [*_ENTRIES, *(entry.short for entry in _ENTRIES.values())], _ADVICE)
    return max(found, key=lambda entry: int(entry.id.rpartition("_v")[2]))


def rules_of(spec: str) -> Rules[Any]:
    """Return the rules of the arena that a spec names, for search and solvers.

    Raises:
        UsageError: If it has none: what is said in a dialogue cannot be listed, and PettingZoo's games keep theirs.
    """
    arena = make_arena(spec)
    if not isinstance(arena, GameArena):
        raise UsageError(
            f"{spec!r} has no rules that could be searched; games such as kuhn_poker and connect_four have."
        )
    return arena.rules


def is_arena(spec: str) -> bool:
    """Whether a spec names an arena; it may still have wrong settings."""
    if prefixes.adapter_of(spec) is not None:
        try:
            return prefixes.is_outside_arena(spec)
        except UsageError:
            return False
    module, _, name = spec.partition("?")[0].strip().rpartition(":")
    if module == _SPOKEN:
        return True
    try:
        if module:
            import_module(module)
        return bool(_entry(name))
    except UsageError:
        return False
