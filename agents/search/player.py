"""What all agents that search have in common: they read the game's own state at their turn and answer with a word."""

import pickle
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self, TypeAlias, TypeVar

import numpy as np
from palaestra.agents.agent import Acting, Move
from palaestra.agents.policy import Sampling
from palaestra.envs.arena.game import GameArena
from palaestra.envs.arena.rules import Rules
from palaestra.envs.errors import UsageError
from palaestra.envs.place import Place
from palaestra.envs.seeding import derive_generator
from palaestra.envs.task import Task

__all__ = ["Choose", "SearchAgent", "SearchPlayer", "key_of", "need_complete_information", "once"]

Choose: TypeAlias = Callable[[Any, int, np.random.Generator], int]
"""Given a state, the seat to move and the player's own chance, returns a legal action."""


T = TypeVar("T")

# Of so many games what was worked out is kept.
_KEPT: Final = 16


class SearchAgent(ABC):
    """An agent without a policy that plays games whose rules can be asked."""

    policy: ClassVar[None] = None

    @property
    @abstractmethod
    def name(self) -> str:
        """The spec that names this agent."""

    @abstractmethod
    def prepare(self, rules: Rules[Any]) -> Choose:
        """Return how moves of a game are chosen.

        Raises:
            UsageError: If this agent cannot play such a game.
        """

    def with_sampling(self, sampling: Sampling) -> Self:
        """Return this agent, which does not sample."""
        del sampling
        return self

    def enter(self, env: Place, task: Task, seed: int) -> "SearchPlayer":
        """Return a player for whatever seat it is asked to move for.

        Raises:
            UsageError: If the place is no arena of a game with rules, or this agent cannot play that game.
        """
        del task
        if not isinstance(env, GameArena):
            raise UsageError(
                f"{self.name} searches the rules of a game, and {type(env).__name__} has none to ask: "
                "let it play in an arena of a game, such as kuhn_poker or tic_tac_toe."
            )
        return SearchPlayer(env, self.prepare(env.rules), derive_generator(seed, "search"))


@dataclass(frozen=True)
class SearchPlayer:
    """A searcher in one game.

    Attributes:
        arena: Where it plays.
        choose: How it chooses.
        generator: Its own chance.
    """

    arena: GameArena
    choose: Choose
    generator: np.random.Generator

    def act(self, observation: str) -> Acting:
        """Say the word of the chosen action; nothing is asked of anybody."""
        del observation
        yield from ()
        state = self.arena.state
        word = self.arena.rules.word(state, self.choose(state, self.arena.seat, self.generator))
        return Move(word, word)


def need_complete_information(rules: Rules[Any], who: str) -> None:
    """Refuse a game in which something is hidden: a search that looks at the whole state would cheat.

    Raises:
        UsageError: If something is hidden.
    """
    if not rules.perfect_information:
        raise UsageError(
            f"{who} looks at the whole state, and {rules.name} hides some of it: take search:cfr, or another agent."
        )


def key_of(rules: Rules[Any]) -> Hashable:
    """Return what is equal for rules that are the same, so that a game is worked out once in a process."""
    try:
        return type(rules), pickle.dumps(vars(rules))
    except Exception:  # whatever cannot be written down is equal to itself alone
        return rules


def once(kept: dict[Hashable, T], key: Hashable, work: Callable[[], T]) -> T:
    """Return what was worked out for a key before, or work it out and keep it; the oldest is dropped for it."""
    if key not in kept:
        found = work()
        while len(kept) >= _KEPT:
            del kept[next(iter(kept))]
        kept[key] = found
    return kept[key]
