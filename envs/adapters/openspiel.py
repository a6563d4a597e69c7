"""OpenSpiel's games as arenas: observations in its own words, legal moves by name."""

import re
import warnings
from collections import Counter
from collections.abc import Hashable
from typing import Any, Final

from palaestra.envs.adapters.prefixes import needing
from palaestra.envs.arena.game import GameArena
from palaestra.envs.arena.rules import CHANCE, OVER, Rules
from palaestra.envs.errors import UnknownNameError, UsageError

__all__ = ["SpielRules", "openspiel_arena"]

_EXTRA: Final = "openspiel"
# Some games write who moves before the move, as in [P0]Bid: 3.
_WHO: Final = re.compile(r"^\[p?[0-9]+\] ?")


class SpielState:
    """A state of OpenSpiel's, and the choices of those who have moved already where all move at the same time.

    Two are equal if the same was done.
    """

    __slots__ = ("chosen", "done", "spiel", "words")

    def __init__(self, spiel: Any, chosen: tuple[int, ...] = ()) -> None:
        self.spiel = spiel
        self.chosen = chosen
        self.done = (tuple(spiel.history()), chosen)
        self.words: dict[int, str] = {}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SpielState) and self.done == other.done

    def __hash__(self) -> int:
        return hash(self.done)


class SpielRules(Rules[SpielState]):
    """The rules of one of OpenSpiel's games, so that everything that plays, searches and solves takes them.

    Args:
        spec: The game, as OpenSpiel writes it: `"kuhn_poker(players=3)"`.
        game: What OpenSpiel made of it.

    Raises:
        UsageError: If it is a game for one, or one that is no list of moves of seats.
    """

    name = "openspiel"

    def __init__(self, spec: str, game: Any) -> None:
        import pyspiel

        kind = game.get_type()
        self.game, self.name = game, spec  # type: ignore[misc]  # a class of ours has one game, here each object has
        self.seats = game.num_players()
        if self.seats < 2:
            raise UsageError(f"{spec} is a game for {self.seats}; an arena seats at least 2.")
        if kind.dynamics == pyspiel.GameType.Dynamics.MEAN_FIELD:
            raise UsageError(f"{spec} is a mean field game: its moves are not those of single seats.")
        if not (kind.provides_information_state_string or kind.provides_observation_string):
            raise UsageError(f"{spec} does not say in text what a player sees.")
        self.actions = game.num_distinct_actions()
        self.lowest, self.highest = float(game.min_utility()), float(game.max_utility())
        self.zero_sum = kind.utility == pyspiel.GameType.Utility.ZERO_SUM
        self.perfect_information = kind.information == pyspiel.GameType.Information.PERFECT_INFORMATION
        # Only where it is so in every round; others are asked in turn all the same, without being told.
        self.simultaneous = kind.dynamics == pyspiel.GameType.Dynamics.SIMULTANEOUS and self.seats == 2
        self.explanation = (
            f"This is {kind.long_name}, a game of OpenSpiel, for {self.seats} players. You are told what you see and "
            "which moves you have. Say one of them."
        )
        self._recalls = bool(kind.provides_information_state_string)
        self._observed = bool(kind.provides_observation_string)

    def initial(self) -> SpielState:  # noqa: D102
        return SpielState(self.game.new_initial_state())

    def turn(self, state: SpielState) -> int:  # noqa: D102
        spiel = state.spiel
        if spiel.is_terminal():
            return OVER
        if spiel.is_chance_node():
            return CHANCE
        return len(state.chosen) if spiel.is_simultaneous_node() else int(spiel.current_player())

    def legal(self, state: SpielState) -> tuple[int, ...]:  # noqa: D102
        spiel = state.spiel
        if spiel.is_chance_node():
            return tuple(action for action, _ in _outcomes(spiel))
        found = spiel.legal_actions(self.turn(state))
        # One who has nothing to choose in a round of all passes it with the number 0.
        return tuple(sorted(found)) or (0,)

    def chances(self, state: SpielState) -> tuple[float, ...]:  # noqa: D102
        return tuple(chance for _, chance in _outcomes(state.spiel))

    def next(self, state: SpielState, action: int) -> SpielState:  # noqa: D102
        spiel = state.spiel
        if spiel.is_chance_node() or not spiel.is_simultaneous_node():
            return SpielState(spiel.child(action))
        chosen = (*state.chosen, action)
        if len(chosen) < self.seats:
            return SpielState(spiel, chosen)
        after = spiel.clone()
        after.apply_actions(list(chosen))
        return SpielState(after)

    def returns(self, state: SpielState) -> tuple[float, ...]:  # noqa: D102
        return tuple(float(paid) for paid in state.spiel.returns())

    def information(self, state: SpielState, seat: int) -> Hashable:  # noqa: D102
        own = state.chosen[seat] if seat < len(state.chosen) else None
        if self._recalls:
            return (state.spiel.information_state_string(seat), own)
        if self.perfect_information:
            return state.done
        raise UsageError(f"{self.name} does not say all that a player remembers, so it can be played but not solved.")

    def describe(self, state: SpielState, seat: int) -> str:  # noqa: D102
        spiel = state.spiel
        if spiel.is_chance_node():
            return f"You are player {seat}."
        seen = spiel.observation_string(seat) if self._observed else spiel.information_state_string(seat)
        return f"You are player {seat}.\n{str(seen).strip()}".strip()

    def word(self, state: SpielState, action: int) -> str:  # noqa: D102
        if not state.words:
            state.words = self._words(state)
        return state.words[action]

    def _words(self, state: SpielState) -> dict[int, str]:
        """Return what the legal actions of a state are called."""
        seat = self.turn(state)
        if not state.spiel.legal_actions(seat):
            return {0: "pass"}
        names = {action: _plain(state.spiel.action_to_string(seat, action)) for action in self.legal(state)}
        common = Counter(names.values())
        # What two actions share, or what a reader of moves would not find again, goes by its number.
        return {action: name if name and common[name] == 1 else str(action) for action, name in names.items()}

    def picture(self, state: SpielState) -> str:  # noqa: D102
        return str(state.spiel)


def _plain(name: str) -> str:
    """Return a name as `read_move` would find it, `""` where it would not."""
    said = _WHO.sub("", " ".join(name.lower().split())).rstrip(".")
    return said if len(said) <= 200 and not set("[]") & set(said) else ""


def _outcomes(spiel: Any) -> list[tuple[int, float]]:
    return sorted((int(action), float(chance)) for action, chance in spiel.chance_outcomes() if chance > 0)


def openspiel_arena(
    name: str,
    *,
    explain: bool = True,
    illegal: str = "lose",
    tries: int = 3,
    render_mode: str | None = None,
    **parameters: Any,
) -> GameArena:
    """Return one of OpenSpiel's games as an arena.

    Args:
        name: Its short name (`"kuhn_poker"`), or with parameters as OpenSpiel writes them.
        explain: See `GameArena`.
        illegal: See `Arena`.
        tries: See `Arena`.
        render_mode: See `Arena`.
        **parameters: The game's.

    Raises:
        UnknownNameError: If OpenSpiel has no such game.
        UsageError: If it is not installed, refuses the parameters, or cannot be played in text.
    """
    with needing(_EXTRA):
        import pyspiel
    short = name.partition("(")[0]
    known = pyspiel.registered_names()
    if short not in known:
        raise UnknownNameError("game of OpenSpiel", short, known, "pyspiel.registered_names() lists them.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            game = pyspiel.load_game(name, parameters) if parameters else pyspiel.load_game(name)
    except Exception as error:  # whatever OpenSpiel raises for what it dislikes
        raise UsageError(f"OpenSpiel cannot load {name}{parameters or ''}: {str(error)[:300]}") from error
    return GameArena(
        SpielRules(str(game) if parameters else name, game),
        explain=explain,
        illegal=illegal,
        tries=tries,
        render_mode=render_mode,
    )
