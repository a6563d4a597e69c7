"""One seat of an arena as an environment: the others move at random.

It is what a nursery policy is raised on (games of random legal moves, so that it knows how to play and not how to
win), and lets everything that plays environments play against a player without any skill.
"""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from palaestra.envs.arena.arena import Arena
from palaestra.envs.arena.game import GameArena
from palaestra.envs.seeding import derive_generator, derive_seed
from palaestra.envs.task import Json, Task, TaskSet
from palaestra.envs.text_env import Info, TextEnv

__all__ = ["ArenaWorld"]


class ArenaWorld(TextEnv):
    """A seat in games that were played at random before.

    Each task is one game, seat by seat in turn. As long as the agent moves as that game went, so do the others; after
    that they move at random.

    Args:
        arena: The game; its moves can be listed.
        size: How many games.
        seed: Seed of the games.
        render_mode: See `TextEnv`.

    Attributes:
        arena: The game.
    """

    def __init__(self, arena: Arena, size: int = 4_000, seed: int = 0, render_mode: str | None = None) -> None:
        self.arena = arena
        super().__init__(_played(arena, size, seed), render_mode=render_mode)
        self._seat = 0
        self._script: list[tuple[int, str]] = []

    def begin(self, task: Task) -> str:  # noqa: D102
        game = cast(dict[str, Any], task.reference)
        self._seat = game["seat"]
        self._script = [(seat, word) for seat, word in reversed(game["moves"])]
        self.arena.reset(seed=game["seed"])
        return self._until_asked()

    def _until_asked(self) -> str:
        arena = self.arena
        while not arena.over and arena.seat != self._seat:
            known = self._script.pop()[1] if self._script else ""
            arena.step(known or arena.sample_action(self.np_random))
        self.observation = str(arena.observe(arena.possible_agents[self._seat]))  # records take nothing else
        return self.observation

    def step(self, action: str) -> tuple[str, float, bool, bool, Info]:  # noqa: D102
        arena = self.arena
        if not self._script or self._script.pop()[1] != action:
            self._script = []
        arena.step(action)
        observation = self._until_asked()
        if not arena.over:
            return observation, 0.0, False, False, self.outcome()
        verdict = arena.verdict(self._seat, arena.results)
        self.observation = f"{observation}\nIt is over. You got {verdict.reward:g}."
        return self.observation, verdict.reward, True, False, self.outcome(verdict)

    def demonstration(self, task: Task) -> Sequence[str]:
        """Return what the seat did in the game."""
        game = cast(dict[str, Any], task.reference)
        return [word for seat, word in game["moves"] if seat == game["seat"]]

    @property
    def tells_all(self) -> bool:  # noqa: D102
        return isinstance(self.arena, GameArena) and self.arena.rules.perfect_information

    def odds(self, task: Task) -> float:
        """Return how probable these moves were among all legal ones."""
        return float(cast(dict[str, Any], task.reference)["odds"])

    def sample_action(self, generator: np.random.Generator) -> str:  # noqa: D102
        return self.arena.sample_action(generator)

    def clone(self) -> "ArenaWorld":  # noqa: D102
        twin = cast(ArenaWorld, super().clone())
        twin.arena = self.arena.clone()
        return twin


def _played(arena: Arena, size: int, seed: int) -> TaskSet:
    """Play games at random."""
    generator = derive_generator(seed, "arena", arena.title)
    tasks = []
    for number in range(size):
        game_seed = derive_seed(seed, "arena", arena.title, number)
        arena.reset(seed=game_seed)
        moves: list[tuple[int, str]] = []
        choices = [1.0] * len(arena.possible_agents)
        while not arena.over:
            legal = arena.legal()
            word, seat = arena.sample_action(generator), arena.seat
            moves.append((seat, word))
            choices[seat] *= len(legal or ()) or 1
            arena.step(word)
        movers = sorted({seat for seat, _ in moves})
        chosen = movers[number % len(movers)]
        reference: Json = {
            "seed": game_seed,
            "seat": chosen,
            "moves": [[seat, word] for seat, word in moves],
            "odds": 1.0 / choices[chosen],
        }
        tasks.append(Task(f"{arena.title}/game-{number}", f"{arena.title}, game {number}", reference))
    return TaskSet(tasks, arena.title, endless=True)
