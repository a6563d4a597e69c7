"""Games between agents: many at once, a record of each, and one episode a seat.

A player that raises voids its own game: it is no experience and counts for nobody. One that says what is no move is
treated as the arena says. One that thinks longer than it may loses by the clock. Where it thinks in this process
nothing can stop it: it goes on in the background, and costs time until it ends. Where it waits for an answer from
elsewhere, the clock runs while the answer is worked on, not while the request waits for its turn or for a server that
failed to come back.
"""

import math
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from palaestra.agents.acting import act, turn
from palaestra.agents.agent import Acting, Agent, Answering, ContextFullError, HoldsResources, Move, Player
from palaestra.agents.attending import Attendant, Meter
from palaestra.agents.crew import Crew
from palaestra.agents.driving import Awaited, Drive, Life, Step
from palaestra.agents.episode import Episode, Turn
from palaestra.agents.rollout import STEP_SECONDS
from palaestra.envs.arena.arena import Arena
from palaestra.envs.arena.catalogue import make_arena
from palaestra.envs.arena.talk import Fault
from palaestra.envs.errors import ContractError, RefusedError
from palaestra.envs.seeding import derive_seed
from palaestra.envs.verdict import Status, Verdict

__all__ = ["Match", "MatchRecord", "Matches"]

# Games that never end are voided here.
MAX_MOVES = 10_000


@dataclass(frozen=True, slots=True)
class Match:
    """One game to be played.

    Attributes:
        id: Unique within its tournament or run.
        arena: Spec of the arena.
        players: For each seat, the number of the agent that sits there.
        seed: Names all chance of the game; two games of one seed draw the same cards as long as they go alike.
        group: Games of one group are compared with each other.
        attempt: Number within the group.
    """

    id: str
    arena: str
    players: tuple[int, ...]
    seed: int
    group: str = ""
    attempt: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class MatchRecord:
    """What became of one game.

    Attributes:
        match: The game.
        returns: What each seat got, in the game's units; zeros where it is not valid.
        valid: Whether it counts: False where a player or our machinery failed.
        blame: The seat whose player failed; None where none did.
        fault: Who lost by what is no move, or by the clock.
        illegal: Illegal moves, by seat.
        moves: Who said what, in order: seat and move as said.
        episodes: One a seat, with token records.
        detail: Why it is not valid, or what the fault was; one line.
        seconds: Wall-clock.
        tokens: Sampled tokens, by seat.
    """

    match: Match
    returns: tuple[float, ...]
    valid: bool
    blame: int | None
    fault: Fault | None
    illegal: tuple[int, ...]
    moves: tuple[tuple[int, str], ...]
    episodes: tuple[Episode, ...]
    detail: str
    seconds: float
    tokens: tuple[int, ...]


@dataclass
class _Seat:
    """One agent in one game."""

    agent: Agent
    player: Player
    turns: list[Turn] = field(default_factory=list)


class Matches:
    """Plays games concurrently.

    Args:
        agents: Who plays; a match names them by number.
        in_flight: Most games alive at a time.
        workers: Threads for arenas that may block, and for tools.
        move_seconds: Longest time of one move of an agent without a policy; None sets no limit.
        step_seconds: How long an arena that is not instant, or a tool, may take; after that the game is void.
        make: Builds the arena of a spec.
    """

    def __init__(
        self,
        agents: Sequence[Agent],
        *,
        in_flight: int = 128,
        workers: int = 16,
        move_seconds: float | None = None,
        step_seconds: float | None = STEP_SECONDS,
        make: Callable[[str], Arena] = make_arena,
    ) -> None:
        self.agents = tuple(agents)
        self.in_flight = in_flight
        self.workers = workers
        self.move_seconds = move_seconds
        self.step_seconds = step_seconds
        self._make = make
        self._first: dict[str, Arena] = {}
        self._idle: dict[str, list[Arena]] = {}

    def arena(self, spec: str) -> Arena:
        """Return the arena of a spec, to read from; it is built once."""
        if spec not in self._first:
            self._first[spec] = self._make(spec)
            self._idle[spec] = []
        return self._first[spec]

    def play(
        self, matches: Iterable[Match], on_record: Callable[[MatchRecord], None] | None = None
    ) -> list[MatchRecord]:
        """Play games.

        Args:
            matches: What to play.
            on_record: Called with each record as its game ends.

        Returns:
            Records in the order of the matches.

        Raises:
            ContractError: If a match names agents that are not there, or not one for each seat.
            RefusedError: If a service that an agent asks refuses to go on. Games under way are then lost.
        """
        matches = list(matches)
        for match in matches:
            seats = len(self.arena(match.arena).possible_agents)
            if len(match.players) != seats or not all(0 <= number < len(self.agents) for number in match.players):
                raise ContractError(
                    f"Match {match.id!r} seats agents {match.players}; {match.arena} has {seats} seats and there are "
                    f"{len(self.agents)} agents."
                )
        with Crew(self.workers, self.step_seconds) as crew:
            life = partial(self._life, Attendant(crew, Meter()))
            return Drive(life, self.in_flight, self.workers, on_record).run(matches)

    def _life(self, attendant: Attendant, match: Match) -> Life[MatchRecord]:
        idle = self._idle[match.arena]
        arena = idle.pop() if idle else self.arena(match.arena).clone()
        record = yield from attendant.attend(self._game(arena, match), f"Game {match.id!r} of {match.arena}")
        if record.valid:  # what failed may be broken inside
            idle.append(arena)
        return record

    def _game(self, arena: Arena, match: Match) -> Life[MatchRecord]:
        began, moves = time.perf_counter(), list[tuple[int, str]]()
        seats: list[_Seat] = []
        blame: int | None = None
        broken: Verdict | None = None
        truncated = False
        try:
            yield from _call(arena, partial(arena.reset, seed=derive_seed(match.seed, "arena")))
            for number in range(len(match.players)):
                blame = number
                seats.append(self._seated(arena, match, number))
            blame = None
            while not arena.over:
                if len(moves) >= MAX_MOVES:
                    raise ContractError(f"{match.arena} did not end within {MAX_MOVES} moves.")
                blame = arena.seat
                move = yield from self._moved(arena, seats[blame])
                moves.append((blame, move))
                blame = None
        except ContextFullError as error:
            # A conversation that is too long is its player's doing: it cannot go on, and has given up.
            truncated = True
            arena.give_up(Fault(arena.seat, Status.TIMEOUT, str(error)))
        except RefusedError:  # the next game would fare alike
            raise
        except Exception as error:  # a player or an arena may fail in any way; what it broke is no experience
            broken = Verdict(0.0, Status.INFRASTRUCTURE, f"{type(error).__name__}: {error}")
        finally:
            for seat in seats:
                if isinstance(seat.player, HoldsResources):
                    seat.player.close()
        return _recorded(match, arena, seats, moves, (blame, broken, truncated), time.perf_counter() - began)

    def _seated(self, arena: Arena, match: Match, number: int) -> _Seat:
        agent = self.agents[match.players[number]]
        seed = derive_seed(match.seed, "seat", number, match.attempt)
        return _Seat(agent, agent.enter(arena, arena.task(number), seed))

    def _moved(self, arena: Arena, seat: _Seat) -> Generator[Awaited, Any, str]:
        """Let the seat whose turn it is make its move, and return what it said."""
        observation = str(arena.observe(arena.agent_selection))
        if seat.agent.policy is None and self.move_seconds is not None:
            asked = time.perf_counter()
            try:
                move = yield from _timed(seat.player.act(observation), self.move_seconds)
            except TimeoutError:
                arena.give_up(Fault(arena.seat, Status.TIMEOUT, f"no move within {self.move_seconds:g} s"))
                return ""
        else:
            observation, move, asked = yield from act(seat.agent, seat.player, observation, seat.turns)
        acted = time.perf_counter()
        yield from _call(arena, partial(arena.step, move.action))
        seat.turns.append(turn(observation, move, (asked, acted)))
        return str(move.action)


def _timed(acting: Acting, seconds: float) -> Generator[Awaited, Any, Move]:
    """Let a player without a policy act to the end.

    Raises:
        TimeoutError: If it, or an answer from elsewhere that it waits for, takes longer than `seconds`.
    """
    answer: Any = None
    while True:
        thought = yield Step(partial(_thought, acting, answer), seconds)
        if isinstance(thought, Move):
            return thought
        answer = yield Step(partial(_answer, thought, seconds), math.inf)


def _thought(acting: Acting, answer: Any) -> Move | Future[Any]:
    """Let a player act until it moves or waits for an answer, on whatever thread this is."""
    try:
        awaited = acting.send(answer)
    except StopIteration as end:
        move: Move = end.value
        return move
    if isinstance(awaited, Future):
        return awaited
    raise ContractError("An agent without a policy asked for something.")


def _answer(future: Future[Any], seconds: float) -> Any:
    """Wait for an answer that may be worked on for so long, and no longer than that."""
    began = time.monotonic()
    while True:
        since = future.since if isinstance(future, Answering) else began
        left = seconds if since is None else since + seconds - time.monotonic()
        if left <= 0:
            future.cancel()
            raise TimeoutError
        wait([future], timeout=min(left, seconds))
        if future.done():
            return future.result()


def _call(arena: Arena, call: Callable[[], None]) -> Generator[Step, Any, None]:
    """Call into an arena: inline when it is instant, else by whoever drives this life."""
    if arena.instant:
        call()
    else:
        yield Step(call)


def _recorded(
    match: Match,
    arena: Arena,
    seats: Sequence[_Seat],
    moves: Sequence[tuple[int, str]],
    ending: tuple[int | None, Verdict | None, bool],
    seconds: float,
) -> MatchRecord:
    blame, broken, truncated = ending
    fault = None if broken else arena.fault
    returns = tuple(0.0 if broken else float(arena.results[s]) for s in range(len(match.players)))
    episodes = tuple(
        _episode(match, arena, number, seat, broken or arena.verdict(number, returns), truncated, seconds)
        for number, seat in enumerate(seats)
    )
    return MatchRecord(
        match=match,
        returns=returns,
        valid=broken is None,
        blame=blame if broken else None,
        fault=fault,
        illegal=tuple(arena.illegal_moves),
        moves=tuple(moves),
        episodes=episodes,
        detail=broken.detail if broken else fault.detail if fault else "",
        seconds=seconds,
        tokens=tuple(episode.tokens for episode in episodes) or (0,) * len(match.players),
    )


def _episode(
    match: Match, arena: Arena, number: int, seat: _Seat, verdict: Verdict, truncated: bool, seconds: float
) -> Episode:
    """Return one seat's side of a game; what it got is paid with its last turn."""
    turns = list(seat.turns)
    if turns and verdict.valid:
        turns[-1] = replace(turns[-1], reward=verdict.reward, verdict=verdict)
    task = arena.task(number)
    return Episode(
        f"{match.id}/{number}",
        match.arena,
        task.id,
        task.fingerprint,
        match.group,
        match.attempt,
        match.seed,
        seat.agent.name,
        tuple(turns),
        verdict,
        truncated,
        seconds,
    )
