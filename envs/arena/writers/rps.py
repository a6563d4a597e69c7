"""The writer of PettingZoo's rock, paper, scissors."""

from typing import Any

from palaestra.envs.arena.writers.writer import Writer

__all__ = ["RockPaperScissorsWriter"]


class RockPaperScissorsWriter(Writer):
    """Rock, paper, scissors (`rps_v2`) with any number of moves, over several rounds.

    Args:
        env: The environment, whose moves and rounds are explained.
    """

    zero_sum, instant = True, True

    def __init__(self, env: Any) -> None:
        self.moves: list[str] = [move.lower().replace("_", " ") for move in env._moves[:-1]]
        self.lowest = -float(env.max_cycles)
        wins = [f"{a} beats {b}" for i, a in enumerate(self.moves) for j, b in enumerate(self.moves) if _beats(i, j)]
        self.explanation = (
            f"{', '.join(self.moves).capitalize()}, {env.max_cycles} rounds. In each, both players choose at the same "
            f"time: {', '.join(wins)}; the same is a draw. A round is worth 1. Say your choice."
        )

    def tell(self, env: Any, agent: str, observation: Any) -> str:  # noqa: D102
        del observation
        seat = env.possible_agents.index(agent)
        other = env.possible_agents[1 - seat]
        # Not `env.state`, which holds a choice of this round that is still hidden.
        yours, theirs = env.history[seat], env.history[1 - seat]
        last = f"\nLast round: you {self.moves[yours]}, {other} {self.moves[theirs]}." if env.num_moves else ""
        done = env.num_moves >= env.max_cycles
        now = "All rounds are played." if done else f"Round {env.num_moves + 1} of {env.max_cycles}."
        return f"You are {agent}. {now}{last}"

    def word(self, env: Any, agent: str, action: int) -> str:  # noqa: D102
        del env, agent
        return self.moves[action]


def _beats(one: int, other: int) -> bool:
    """Return whether a move wins: of two numbers both odd or both even the lower, otherwise the higher."""
    if one == other:
        return False
    return (one < other) == ((one + other) % 2 == 0)
