"""The contract of an arena: a `pettingzoo.AECEnv` whose observations and actions are text."""

import copy
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from operator import index
from typing import Any

import numpy as np
from gymnasium import spaces
from palaestra.envs.arena.moves import Illegal, illegal_policy, read_move
from palaestra.envs.arena.talk import MAX_CHARS, Fault, IllegalMoveError, Moves, Told
from palaestra.envs.errors import UsageError
from palaestra.envs.seeding import derive_generator
from palaestra.envs.task import Task
from palaestra.envs.text_env import Words
from palaestra.envs.verdict import Status, Verdict
from pettingzoo import AECEnv

__all__ = ["Arena"]


def _reseed(generator: np.random.Generator, seed: int) -> None:
    """Begin the stream of a seed: `PCG64(seed)` would take as long as a whole game of Kuhn poker's moves."""
    named = blake2b(b"%d" % index(seed), digest_size=32).digest()
    generator.bit_generator.state = {
        "bit_generator": "PCG64",
        "state": {"state": int.from_bytes(named[:16], "big"), "inc": int.from_bytes(named[16:], "big") | 1},
        "has_uint32": 0,
        "uinteger": 0,
    }


@lru_cache(maxsize=1024)
def _verdicts(returns: tuple[float, ...]) -> tuple[Verdict, ...]:
    """Return what the rules say of each seat of a game that nobody gave up."""
    best = max(returns)
    shared = returns.count(best) > 1
    top = Verdict(best, Status.PARTIAL, "drawn") if shared else Verdict(best, Status.CORRECT, "won")
    return tuple(top if paid == best else Verdict(paid, Status.WRONG, "lost") for paid in returns)


class Arena(AECEnv[str, str, str]):  # type: ignore[misc]
    """A game or dialogue in text, in PettingZoo's conventions.

    `observe(agent)` is what that seat is told; `step(text)` is what the seat whose turn it is says. Text that holds no
    legal move is treated as `illegal` says, never an exception. `infos[agent]["action_mask"]` lists the legal moves of
    the seat whose turn it is, where they can be listed; `action_space(agent).sample(mask)` draws one of them, as usual
    in PettingZoo. Rewards are paid at the end of the game: what the seat gets.

    Where all seats move at the same time, they do so in the order of the seats, each round anew, and each has its mask
    from the beginning of the round. A game that is lost by an illegal move is lost when the round is over.

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
        parallel: Whether all seats move at the same time, every one of them in every round.
        names: What the seats are called, by seat; without any, `player_0`, `player_1` and so on.
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
        max_chars: int = MAX_CHARS,
        parallel: bool = False,
        names: Sequence[str] = (),
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
        self.possible_agents = list(names) or [f"player_{seat}" for seat in range(seats)]
        self._seat_of = {agent: seat for seat, agent in enumerate(self.possible_agents)}
        self.observation_spaces: dict[str, spaces.Space[Any]] = {a: Words(max_chars) for a in self.possible_agents}
        self.action_spaces: dict[str, spaces.Space[Any]] = {a: Moves(words, max_chars) for a in self.possible_agents}
        self.agents: list[str] = []
        self._parallel = parallel
        self._nothing = dict.fromkeys(self.possible_agents, 0.0)
        self._nobody = dict.fromkeys(self.possible_agents, False)
        self._seed: int | None = None
        self._generator = np.random.Generator(np.random.PCG64())
        self._complaint = ""
        self._tried = 0
        self._over = False
        self._held: Fault | None = None
        self._moved: set[int] = set()
        self.fault: Fault | None = None
        self.results: tuple[float, ...] = ()
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

    def offered(self, seat: int) -> tuple[str, ...] | None:
        """Return the legal moves of a seat that is to move in this turn or round, None where any text may be one.

        A game in which all seats move at the same time overrides this: `legal` speaks of the mover alone.
        """
        del seat
        legal = self.legal()
        return None if legal is None else tuple(legal)

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
        self._seed = seed
        if seed is not None:
            _reseed(self._generator, seed)
        names = self.possible_agents
        self.agents = names[:]
        self.rewards = self._nothing.copy()
        self._cumulative_rewards = self._nothing.copy()
        self.terminations = self._nobody.copy()
        self.truncations = self._nobody.copy()
        self.infos: dict[str, dict[str, Any]] = {name: {} for name in names}
        self.agent_selection = names[0]
        self.fault, self._held, self._over, self._complaint, self._tried = None, None, False, "", 0
        self._moved.clear()
        self.illegal_moves = [0] * len(names)
        self.begin(self._generator)
        self._go_on()

    def _go_on(self) -> None:
        """Name who is next, or pay everybody."""
        seat = self.mover()
        if self._held is not None and seat <= 0:
            self.give_up(self._held)
        elif seat < 0:
            self._end(self.returns())
        else:
            self.infos[self.agent_selection] = {}
            self.agent_selection = self.possible_agents[seat]
            for asked in range(seat, len(self.possible_agents)) if self._parallel else (seat,):
                moves = self.offered(asked)
                self.infos[self.possible_agents[asked]] = {} if moves is None else {"action_mask": moves}

    def _end(self, returns: tuple[float, ...]) -> None:
        self._over, self._complaint, self.results = True, "", returns
        for seat, (agent, paid) in enumerate(zip(self.possible_agents, returns, strict=True)):
            self.rewards[agent] = paid
            self._cumulative_rewards[agent] += paid
            self.terminations[agent] = True
            self.infos[agent] = {"verdict": self.verdict(seat, returns)}
        self.agent_selection = self.possible_agents[0]

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
            self._play_for(seat, legal, self._drawn(list(legal)))
        elif self.illegal is Illegal.RETRY and self._tried < self.tries:
            self._complaint = f"That was no legal move: {why}."
        elif self._parallel and legal:
            # The others' moves of this round are still to be heard; any move stands in for this one until then.
            self._held = self._held or Fault(seat, status, why)
            self._play_for(seat, legal, next(iter(legal)))
        else:
            self.give_up(Fault(seat, status, why))

    def _drawn(self, words: list[str]) -> str:
        """Draw a move from a stream of its own, so that the cards of a seed are the same whatever is said."""
        generator = self._generator
        if self._seed is not None:
            generator = derive_generator(self._seed, "illegal", sum(self.illegal_moves))
        return words[int(generator.integers(len(words)))]

    def _play_for(self, seat: int, legal: Mapping[str, int], word: str) -> None:
        self._complaint, self._tried = "", 0
        self._moved.add(seat)
        self.play(legal[word], word)
        self._go_on()

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
        return self._over

    def verdict(self, seat: int, returns: tuple[float, ...]) -> Verdict:
        """Return what the game says of one seat: CORRECT won, WRONG lost, PARTIAL shared the best place."""
        if self.fault is not None and self.fault.seat == seat:
            return Verdict(returns[seat], self.fault.status, self.fault.detail)
        return _verdicts(returns)[seat]

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
        words = self.offered(self._seat_of[self.agent_selection])
        return words[int(generator.random() * len(words))] if words else ""

    def clone(self) -> "Arena":
        """Return an independent arena of the same game, to be reset."""
        twin = copy.copy(self)
        twin._generator = np.random.Generator(np.random.PCG64())
        twin._moved = set()
        twin.agents = []
        return twin
