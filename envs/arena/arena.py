"""The contract of an arena: a `pettingzoo.AECEnv` whose observations and actions are text."""

import copy
import string
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces
from palaestra.envs.arena.moves import Illegal, illegal_policy, read_move
from palaestra.envs.errors import UsageError
from palaestra.envs.task import Task
from palaestra.envs.text_env import Words
from palaestra.envs.verdict import Status, Verdict
from pettingzoo import AECEnv

__all__ = ["Arena", "Fault", "IllegalMoveError", "Moves", "Told"]

_MAX_CHARS = 100_000


class Moves(Words):
    """All text up to a length; samples are moves of the game, legal or not.

    Args:
        words: Moves to draw from; without any, samples are printable ASCII.
        max_length: Longest text, in characters.
    """

    def __init__(self, words: Sequence[str], max_length: int = _MAX_CHARS) -> None:
        super().__init__(max_length)
        self.words = tuple(words)

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        """Draw one of the moves in `mask`, else any move, else any text."""
        del probability
        words = mask or self.words
        if words:
            return str(words[int(self.np_random.integers(len(words)))])
        count = int(self.np_random.integers(1, 40))
        return "".join(string.printable[i] for i in self.np_random.integers(len(string.printable), size=count))


class Told(str):
    """What a seat is told: text that says, as PettingZoo's tests ask of an observation, what it is made of."""

    __slots__ = ()
    dtype = np.dtype(str)


class IllegalMoveError(Exception):
    """Raised by `Arena.play` for what the rules forbid; the message tells the player why."""


class Fault(NamedTuple):
    """Why a seat lost without the rules saying so.

    Attributes:
        seat: Whose fault it was.
        status: ILLEGAL, UNPARSED or TIMEOUT.
        detail: One line for a person.
    """

    seat: int
    status: Status
    detail: str


class Arena(AECEnv[str, str, str]):  # type: ignore[misc]
    """A game or dialogue in text, in PettingZoo's conventions.

    `observe(agent)` is what that seat is told; `step(text)` is what the seat whose turn it is says. Text that holds no
    legal move is treated as `illegal` says, never an exception. `infos[agent]["action_mask"]` lists the legal moves of
    the seat whose turn it is, where they can be listed; `action_space(agent).sample(mask)` draws one of them, as usual
    in PettingZoo. Rewards are paid at the end of the game: what the seat gets.

    Subclasses implement `begin`, `mover`, `tell`, `legal`, `play`, `returns` and `forfeit`.

    Args:
        title: Such as `"kuhn_poker"`; `metadata["name"]` is it with the version.
        seats: How many play.
        explanation: The rules for a player, shown before its first move; `""` shows none.
        illegal: `"lose"`, `"retry"` or `"random"`.
        tries: How often one move may be tried under `"retry"`.
        words: Moves to draw samples from.
        render_mode: `"ansi"`, `"human"` or None.
        max_chars: Longest observation and action.
        parallel: Whether all seats move at the same time.
    """

    # Games are over in microseconds a move and never wait: they may be played inline. Anything else says False.
    instant = True

    def __init__(
        self,
        title: str,
        seats: int,
        *,
        explanation: str = "",
        illegal: str = "lose",
        tries: int = 3,
        words: Sequence[str] = (),
        render_mode: str | None = None,
        max_chars: int = _MAX_CHARS,
        parallel: bool = False,
    ) -> None:
        super().__init__()
        if render_mode not in (None, "ansi", "human"):
            raise UsageError(f"render_mode must be None, 'ansi' or 'human', got {render_mode!r}.")
        if tries < 1:
            raise UsageError(f"tries must be at least 1, got {tries}.")
        self.metadata = {
            "render_modes": ["ansi", "human"],
            "name": title,
            "is_parallelizable": parallel,
            "render_fps": 1,
        }
        self.title, self.explanation, self.render_mode = title, explanation, render_mode
        self.illegal: Illegal = illegal_policy(illegal)
        self.tries = tries
        self.possible_agents = [f"player_{seat}" for seat in range(seats)]
        self._seat_of = {agent: seat for seat, agent in enumerate(self.possible_agents)}
        self.observation_spaces: dict[str, spaces.Space[Any]] = {a: Words(max_chars) for a in self.possible_agents}
        self.action_spaces: dict[str, spaces.Space[Any]] = {a: Moves(words, max_chars) for a in self.possible_agents}
        self.agents: list[str] = []
        self._seed: int | None = None
        self._generator = np.random.default_rng()
        self._complaint = ""
        self._tried = 0
        self._moved: set[int] = set()
        self.fault: Fault | None = None
        self.illegal_moves = [0] * seats

    # What a game implements.

    @abstractmethod
    def begin(self, generator: np.random.Generator) -> None:
        """Set the state before the first move; all chance of the game comes from `generator`, kept for later."""

    @abstractmethod
    def mover(self) -> int:
        """Return the seat whose turn it is, -1 when the game is over."""

    @abstractmethod
    def tell(self, seat: int) -> Told:
        """Return what a seat is told now."""

    @abstractmethod
    def legal(self) -> Mapping[str, int] | None:
        """Return the legal moves of the mover as they are written, numbered; None where any text may be one."""

    @abstractmethod
    def play(self, move: int, text: str) -> None:
        """Make a move of the mover.

        Args:
            move: The number of a legal move, -1 where any text may be one.
            text: What was said.

        Raises:
            IllegalMoveError: If the rules forbid it, where any text may be a move.
        """

    @abstractmethod
    def returns(self) -> tuple[float, ...]:
        """Return what each seat gets, once the game is over."""

    @abstractmethod
    def forfeit(self, seat: int) -> tuple[float, ...]:
        """Return what each seat gets when one gives up its game."""

    def picture(self) -> str:
        """Return the state for an onlooker."""
        return "\n".join(f"{agent}: {self.tell(seat)}" for agent, seat in self._seat_of.items())

    # PettingZoo's side.

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """Return the text that a seat may be told."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """Return the text that a seat may say."""
        return self.action_spaces[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Begin a game.

        Args:
            seed: Names all chance of the game; None goes on from the last one.
            options: Passed over; PettingZoo's environments take any.
        """
        del options
        if seed is not None:
            self._generator = np.random.Generator(np.random.PCG64(seed))
        names = self.possible_agents
        self.agents = names[:]
        self.rewards = dict.fromkeys(names, 0.0)
        self._cumulative_rewards = dict.fromkeys(names, 0.0)
        self.terminations = dict.fromkeys(names, False)
        self.truncations = dict.fromkeys(names, False)
        self.infos: dict[str, dict[str, Any]] = {name: {} for name in names}
        self.fault, self._complaint, self._tried = None, "", 0
        self._moved.clear()
        self.illegal_moves = [0] * len(names)
        self.begin(self._generator)
        self._go_on()

    def _go_on(self) -> None:
        """Name who is next, or pay everybody."""
        seat = self.mover()
        if seat < 0:
            self._end(self.returns())
            return
        agent = self.possible_agents[seat]
        self.agent_selection = agent
        legal = self.legal()
        self.infos[agent] = {"action_mask": tuple(legal)} if legal is not None else {}

    def _end(self, returns: tuple[float, ...]) -> None:
        for agent, paid in zip(self.possible_agents, returns, strict=True):
            self.rewards[agent] = paid
            self._cumulative_rewards[agent] += paid
            self.terminations[agent] = True
            self.infos[agent] = {"verdict": self.verdict(self._seat_of[agent], returns)}
        if self.agents:
            self.agent_selection = self.agents[0]

    def step(self, action: str | None) -> None:
        """Let the seat whose turn it is say something."""
        agent = self.agent_selection
        if self.terminations[agent]:
            self._was_dead_step(action)
            return
        seat = self._seat_of[agent]
        text = action if isinstance(action, str) else ""
        legal = self.legal()
        if legal is None:
            number, said = -1, text
        else:
            found, said = read_move(text, legal)
            if found is None:
                status = Status.ILLEGAL if said else Status.UNPARSED
                self._refuse(seat, status, f"{said[:80]!r} is not one of {', '.join(list(legal)[:20])}", legal)
                return
            number = found
        try:
            self.play(number, said)
        except IllegalMoveError as error:
            self._refuse(seat, Status.ILLEGAL, str(error), legal)
            return
        self._moved.add(seat)
        if self._complaint:
            self._complaint, self._tried = "", 0
        self._go_on()
        if self.render_mode == "human":
            self.render()

    def _refuse(self, seat: int, status: Status, why: str, legal: Mapping[str, int] | None) -> None:
        self.illegal_moves[seat] += 1
        self._tried += 1
        if self.illegal is Illegal.RANDOM and legal:
            words = list(legal)
            word = words[int(self._generator.integers(len(words)))]
            self._tried = 0
            self._moved.add(seat)
            self.play(legal[word], word)
            self._go_on()
        elif self.illegal is Illegal.RETRY and self._tried < self.tries:
            self._complaint = f"That was no legal move: {why}."
        else:
            self.give_up(Fault(seat, status, why))

    def give_up(self, fault: Fault) -> None:
        """End the game by the fault of one seat."""
        self.fault = fault
        self._end(self.forfeit(fault.seat))

    def observe(self, agent: str) -> Told:
        """Return what a seat is told: before its first move the rules, then how things stand."""
        seat = self._seat_of[agent]
        told = self.tell(seat)
        if self._complaint and agent == self.agent_selection:
            told = Told(f"{self._complaint}\n{told}")
        return Told(f"{self.explanation}\n\n{told}") if self.explanation and seat not in self._moved else told

    def render(self) -> str | None:
        """Return or print the picture of the state."""
        if self.render_mode == "human":
            print(self.picture())  # noqa: T201 (that is what this render mode is)
            return None
        return self.picture() if self.render_mode == "ansi" else None

    def close(self) -> None:
        """Nothing is open."""

    # What players and records need.

    @property
    def seat(self) -> int:
        """The seat whose turn it is."""
        return self._seat_of[self.agent_selection]

    @property
    def over(self) -> bool:
        """Whether the game is over."""
        return any(self.terminations.values())

    def verdict(self, seat: int, returns: tuple[float, ...]) -> Verdict:
        """Return what the game says of one seat: CORRECT won, WRONG lost, PARTIAL shared the best place."""
        if self.fault is not None and self.fault.seat == seat:
            return Verdict(returns[seat], self.fault.status, self.fault.detail)
        best = max(returns)
        if returns[seat] < best:
            return Verdict(returns[seat], Status.WRONG, "lost")
        shared = sum(paid == best for paid in returns) > 1
        return Verdict(returns[seat], Status.PARTIAL, "drawn") if shared else Verdict(best, Status.CORRECT, "won")

    def task(self, seat: int) -> Task:
        """Return a seat of this arena as a task, for records."""
        role = self.possible_agents[seat]
        return Task(
            f"{self.title}/{role}", f"{self.explanation}\n\n{role} of {self.title}".strip(), metadata={"role": role}
        )

    def solution(self, task: Task) -> None:
        """Return None: no seat of a game has a solution that does not depend on the others."""
        del task

    def sample_action(self, generator: np.random.Generator) -> str:
        """Draw what a player without any skill would say: a legal move, where they can be listed."""
        legal = self.legal()
        if not legal:
            return ""
        words = tuple(legal)
        return words[int(generator.random() * len(words))]

    def clone(self) -> "Arena":
        """Return an independent arena of the same game, to be reset."""
        twin = copy.copy(self)
        twin._generator = np.random.default_rng()
        twin._moved = set()
        twin.agents = []
        return twin
