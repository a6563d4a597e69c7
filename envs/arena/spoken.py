"""Any PettingZoo environment with discrete actions, spoken as text."""

import copy
import math
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import numpy as np
from gymnasium import spaces
from palaestra.envs.arena.arena import Arena
from palaestra.envs.arena.talk import Told
from palaestra.envs.arena.writers.classic import CLASSIC
from palaestra.envs.arena.writers.naming import builder, full_name
from palaestra.envs.arena.writers.writer import SpaceWriter, Writer
from palaestra.envs.errors import ContractError, InfrastructureError, UsageError
from palaestra.envs.seeding import derive_seed
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.utils.conversions import parallel_to_aec_wrapper

__all__ = ["Inner", "SpokenArena", "spoken"]

Inner: TypeAlias = AECEnv[Any, Any, Any] | ParallelEnv[Any, Any, Any]
"""A PettingZoo environment of numbers."""

# Some environments take no larger seeds.
_SEEDS: Final = 2**31
# More moves than this are not listed to a player.
_LISTED: Final = 100


class SpokenArena(Arena):
    """A PettingZoo environment played in words.

    Each agent keeps its name, and what it gets is the sum of all that the environment paid it, on the way or at the
    end. Agents that are out before the others have no more turns, and are paid with them. Where the environment cut
    its game short, `truncations` say so as well. What is legal is what the action mask says, in the observation or
    the info; without one, every action.

    An environment that raises or pays what is not finite is our failure: `InfrastructureError`.

    Args:
        env: The environment, or a function without arguments that builds it. A parallel one is asked for one agent's
            action after the other; nobody sees what the others chose before all have.
        writer: Puts it into words, or a function that makes what does for the bare environment; by default the writer
            of a classic game, else a `SpaceWriter`.
        explain: Whether a player is told the rules before its first move.
        illegal: See `Arena`.
        tries: See `Arena`.
        render_mode: See `Arena`.

    Raises:
        UsageError: If the actions of an agent are not discrete, or the environment does not name its agents.
    """

    def __init__(
        self,
        env: Inner | Callable[[], Inner],
        writer: Writer | Callable[[Any], Writer] | None = None,
        *,
        explain: bool = True,
        illegal: str = "lose",
        tries: int = 3,
        render_mode: str | None = None,
    ) -> None:
        self._build = None if isinstance(env, AECEnv | ParallelEnv) else env
        self.inner = _in_turns(env if self._build is None else self._build())
        self.world = self.inner.unwrapped
        self.writer = writer if isinstance(writer, Writer) else (writer or _writer_of)(self.world)
        title = str(self.inner.metadata.get("name", type(self.world).__name__))
        names = list(getattr(self.inner, "possible_agents", ()))
        if not names:
            raise UsageError(f"{title} names no possible_agents; an arena must know from the start who may play.")
        self._actions = [_discrete(title, name, self.inner.action_space(name)) for name in names]
        # A player that may try again keeps its turn, which the parallel form does not know.
        self._together = bool(self.inner.metadata.get("is_parallelizable")) and illegal != "retry"
        super().__init__(
            title,
            len(names),
            explanation=self.writer.explanation if explain else "",
            illegal=illegal,
            tries=tries,
            render_mode=render_mode,
            parallel=self._together,
            names=names,
        )
        self.instant = self.writer.instant
        self._clear()

    def _clear(self) -> None:
        seats = len(self.possible_agents)
        self._paid = [0.0] * seats
        # What was paid since the last turn, and so is not yet in the sum.
        self._pending = [0.0] * seats
        self._cut = [False] * seats
        self._told: list[Told | None] = [None] * seats
        self._last_told: dict[int, Told] = {}
        self._turn = -1
        self._seen: Any = None
        self._info: Mapping[str, Any] = {}
        self._legal: dict[str, int] | None = None

    def _ask(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        try:
            return function(*arguments, **named)
        except Exception as error:  # whatever a foreign environment raises
            raise InfrastructureError(f"{self.title} failed: {type(error).__name__}: {str(error)[:300]}") from error

    def begin(self, generator: np.random.Generator) -> None:  # noqa: D102
        seed = int(generator.integers(_SEEDS)) if self._seed is None else int(self._seed)
        self._clear()
        self._parallel = self._together
        self._ask(self.inner.reset, seed=seed if seed < _SEEDS else derive_seed(seed, "spoken") % _SEEDS)
        self._advance()
        if self._turn >= 0 and not self.action_spaces[self.possible_agents[self._turn]].words:  # type: ignore[attr-defined]
            words = tuple(self.legal())
            for space in self.action_spaces.values():
                space.words = words  # type: ignore[attr-defined]

    def _advance(self) -> None:
        """Collect what was paid, see off who is out, and find whose turn it is."""
        inner = self.inner
        self._turn, self._legal = -1, None
        self._told = [None] * len(self._told)
        while inner.agents:
            agent = inner.agent_selection
            seen, reward, terminated, truncated, info = self._ask(inner.last)
            seat = self._seat_of[agent]
            if not math.isfinite(reward):
                raise InfrastructureError(f"{self.title} paid {agent} {reward}, expected a finite number.")
            self._paid[seat] += float(reward)
            self._pending[seat] = 0.0
            if not (terminated or truncated):
                self._turn, self._seen, self._info = seat, seen, info
                return
            self._last_told[seat] = Told(self.writer.tell(self.world, agent, seen))
            self._cut[seat] = bool(truncated)
            self._ask(inner.step, None)
            # From here on not everybody moves in every round.
            self._parallel = False

    def mover(self) -> int:  # noqa: D102
        return self._turn

    def _words(self, seat: int, seen: Any, info: Mapping[str, Any]) -> dict[str, int]:
        """Return the legal actions of a seat by what they are called."""
        agent, space = self.possible_agents[seat], self._actions[seat]
        mask = seen.get("action_mask") if isinstance(seen, Mapping) else None
        if mask is None:
            mask = info.get("action_mask")
        start = int(space.start)
        indices = range(int(space.n)) if mask is None else np.flatnonzero(mask).tolist()
        legal = {self.writer.word(self.world, agent, start + index): start + index for index in indices}
        if len(legal) != len(indices) or not legal:
            raise ContractError(
                f"{self.title}: {agent} has {len(indices)} legal actions and {type(self.writer).__name__} has "
                f"{len(legal)} words for them ({', '.join(list(legal)[:5])}); expected at least one, and as many."
            )
        return legal

    def legal(self) -> Mapping[str, int]:  # noqa: D102
        if self._legal is None:
            self._legal = self._words(self._turn, self._seen, self._info)
        return self._legal

    def offered(self, seat: int) -> tuple[str, ...]:  # noqa: D102
        if seat == self._turn:
            return tuple(self.legal())
        agent = self.possible_agents[seat]
        return tuple(self._words(seat, self._ask(self.inner.observe, agent), self.inner.infos.get(agent, {})))

    def tell(self, seat: int) -> Told:  # noqa: D102
        told = self._told[seat]
        if told is None:
            told = self._told[seat] = self._last_told.get(seat) or self._tell(seat)
        return told

    def _tell(self, seat: int) -> Told:
        agent = self.possible_agents[seat]
        if seat == self._turn:
            legal = list(self.legal())
            listed = ", ".join(legal if len(legal) <= _LISTED else legal[:5])
            moves = f"Moves: {listed}" if len(legal) <= _LISTED else f"Moves: {len(legal)}, such as {listed}"
            return Told(f"{self.writer.tell(self.world, agent, self._seen)}\n{moves}")
        if agent not in self.inner.agents:
            return Told(f"You are {agent}. You are not in the game.")
        return Told(self.writer.tell(self.world, agent, self._ask(self.inner.observe, agent)))

    def play(self, move: int, text: str) -> None:  # noqa: D102
        del text
        self._ask(self.inner.step, move)
        for agent, reward in self.inner.rewards.items():
            self._pending[self._seat_of[agent]] += float(reward)
        self._advance()

    def _go_on(self) -> None:
        if self._held is not None and not self._parallel:
            self.give_up(self._held)
        else:
            super()._go_on()

    def _end(self, returns: tuple[float, ...]) -> None:
        super()._end(returns)
        if self.fault is None:
            self.truncations = dict(zip(self.possible_agents, self._cut, strict=True))

    def returns(self) -> tuple[float, ...]:  # noqa: D102
        return tuple(self._paid)

    def forfeit(self, seat: int) -> tuple[float, ...]:  # noqa: D102
        so_far = [paid + pending for paid, pending in zip(self._paid, self._pending, strict=True)]
        return self.writer.forfeit(seat, tuple(so_far))

    def picture(self) -> str:  # noqa: D102
        return self.writer.picture(self.world) or super().picture()

    def close(self) -> None:
        """Close the environment."""
        self.inner.close()

    def clone(self) -> "SpokenArena":
        """Return an independent arena with an environment of its own.

        Raises:
            UsageError: If the environment cannot be copied; give a function that builds it.
        """
        twin = super().clone()
        assert isinstance(twin, SpokenArena)
        try:
            twin.inner = copy.deepcopy(self.inner) if self._build is None else _in_turns(self._build())
        except Exception as error:  # whatever a foreign environment raises
            raise UsageError(
                f"{self.title} cannot be copied ({type(error).__name__}: {error}); give a function that builds it."
            ) from error
        twin.world = twin.inner.unwrapped
        twin._clear()
        return twin


def _writer_of(world: Any) -> Writer:
    """Return the writer of a bare environment: that of a classic game, if it is one of PettingZoo's own."""
    own = type(world).__module__.startswith("pettingzoo.classic.")
    known = CLASSIC.get(world.metadata.get("name", "")) if own else None
    return known.written(world) if known else SpaceWriter()


def _in_turns(env: Any) -> Any:
    """Return an environment whose agents are asked one after the other."""
    if isinstance(env, ParallelEnv):
        return parallel_to_aec_wrapper(env)
    if isinstance(env, AECEnv):
        return env
    raise UsageError(f"Expected a PettingZoo AECEnv or ParallelEnv, or a function that builds one, got {env!r}.")


def _discrete(title: str, agent: str, space: spaces.Space[Any]) -> spaces.Discrete:
    if not isinstance(space, spaces.Discrete):
        raise UsageError(
            f"{agent} of {title} acts in {space}; only Discrete actions can be spoken. Wrap it in an environment that "
            "offers a list of actions."
        )
    return space


def spoken(
    env: str | Inner | Callable[[], Inner],
    *,
    writer: Writer | Callable[[Any], Writer] | None = None,
    illegal: str = "lose",
    tries: int = 3,
    explain: bool = True,
    render_mode: str | None = None,
    **settings: Any,
) -> SpokenArena:
    """Return a PettingZoo environment as an arena of text.

    Args:
        env: The name of one of PettingZoo's (`"tictactoe_v3"`, `"butterfly/pistonball_v6"`), or an environment, or a
            function without arguments that builds one.
        writer: Puts it into words; see `SpokenArena`.
        illegal: What becomes of text that is no legal move: `"lose"`, `"retry"` or `"random"`.
        tries: How often one move may be tried under `"retry"`.
        explain: Whether a player is told the rules before its first move.
        render_mode: `"ansi"`, `"human"` or None.
        **settings: Arguments of the environment, for a name.

    Raises:
        UnknownNameError: If no environment has this name.
        UsageError: If something it needs is not installed, or a setting is refused.
    """
    if isinstance(env, str):
        env = builder(full_name(env), settings)
    elif settings:
        raise UsageError(f"Settings ({', '.join(settings)}) are for a name; give them to the environment itself.")
    return SpokenArena(env, writer, explain=explain, illegal=illegal, tries=tries, render_mode=render_mode)
