"""The model of a run: how long a step takes, and where its time goes.

A step plays N episodes, of which those in informative groups are learned from. One device decodes a batch of b rows of
c tokens each in `decode_step + b (decode_token + c cache_token)` seconds a token, so a batch lasts as long as its
longest reply; what worlds take is drawn
from a log-normal distribution and laid on the workers that there are, first come, first served. In a synchronous run
everything follows one another. In one that plays ahead each part goes on all the time and the slowest sets the pace,
unless an episode lives so long that the bound on staleness holds playing up, or that its group is too old when it ends.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from heapq import heapify, heapreplace
from math import ceil, exp
from statistics import NormalDist
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from palaestra.envs.seeding import derive_generator
from palaestra.evolution.planning.costs import UnitCosts, Workload

__all__ = ["STALENESS", "Fleet", "Forecast", "Laid", "Mode", "divide", "forecast", "laid_out", "played", "step_seconds"]

Mode: TypeAlias = Literal["synchronous", "one step off", "asynchronous"]
STALENESS: dict[Mode, int] = {"synchronous": 0, "one step off": 1, "asynchronous": 4}
"""What --staleness says in each mode."""

# Steps that are drawn where chance decides; their mean is taken.
_DRAWS = 64
# A row laid behind its prompt's other rows repeats one token; see updating/sharing.py, whose limit this is too.
_WORTH = 0.75


@dataclass(frozen=True)
class Fleet:
    """Who works.

    Attributes:
        samplers: Devices that sample.
        trainers: Devices that learn.
        hosts: Hosts, each with its workers for judging.
        shared: Whether the samplers are the trainers: what one does, the other waits for, but for `UnitCosts.overlap`.
    """

    samplers: int = 1
    trainers: int = 1
    hosts: int = 1
    shared: bool = True

    @property
    def devices(self) -> int:
        """How many devices there are."""
        return self.samplers if self.shared else self.samplers + self.trainers


@dataclass(frozen=True)
class Forecast:
    """What a step will take; seconds of wall-clock.

    Attributes:
        mode: How playing and learning alternate.
        fleet: Who works.
        seconds: A step.
        sampling: In which the samplers are at work, and worlds that answer on their threads.
        judging: In which worlds would be if nothing else limited them.
        learning: In which the trainers are, with giving the weights away.
        other: Records and figures of a turn of the loop.
        rollouts: Episodes played a step.
        learned: Of them, learned from.
        dropped: Share of the groups that are too old when they end.
        samplers_a_trainer: Samplers that keep one trainer busy.
        bottleneck: What sets the pace.
        trainer_bytes: Memory of a trainer's weights, gradients and optimiser; activations come on top.
        sampler_bytes: Memory of a sampler's weights and cache.
    """

    mode: Mode
    fleet: Fleet
    seconds: float
    sampling: float
    judging: float
    learning: float
    other: float
    rollouts: float
    learned: float
    dropped: float
    samplers_a_trainer: float
    bottleneck: str
    trainer_bytes: float
    sampler_bytes: float

    @property
    def rollouts_a_second(self) -> float:
        """Episodes played a second."""
        return self.rollouts / self.seconds


def played(work: Workload) -> list[int]:
    """Return how many groups each round of a step plays: what is missing is drawn again; see `SampleGroups`."""
    rounds, informative = [work.groups], work.groups * (1 - work.uniform)
    while len(rounds) < work.rounds and round(work.groups - informative) > 0:
        missing = work.groups - informative
        rounds.append(min(work.groups, ceil(missing / (1 - work.uniform))))
        informative += rounds[-1] * (1 - work.uniform)
    return rounds


class Laid(NamedTuple):
    """What goes through the model to be learned from: tokens, and pairs of tokens of a row; padding too."""

    tokens: float
    pairs: float


def laid_out(work: Workload, rows: float) -> Laid:
    """Return what some rows of replies become; shared prompts are laid out once where that pays."""
    after = work.turns * work.reply + (work.turns - 1) * work.observation
    limit = work.turns * work.reply_limit + (work.turns - 1) * work.observation
    sigma = work.reply_sigma / work.turns**0.5
    groups = rows / work.attempts
    # Both are as wide as their widest.
    width = work.prompt + min(limit, _widest(after, sigma, rows))
    behind = min(work.attempts * (limit + 1), _widest(work.attempts * (after + 1), sigma / work.attempts**0.5, groups))
    shared = work.prompt - 1 + behind
    if groups * shared <= _WORTH * rows * width:
        rows, width = groups, shared
    return Laid(rows * width, rows * width**2)


def _widest(mean: float, sigma: float, count: float) -> float:
    """Return about how large the largest of some log-normal numbers of this mean is."""
    return mean * exp(sigma * NormalDist().inv_cdf(1 - 1 / (max(1.0, count) + 1)) - sigma**2 / 2)


def forecast(costs: UnitCosts, work: Workload, fleet: Fleet, mode: Mode) -> Forecast:
    """Predict one step.

    Args:
        costs: Of one device.
        work: What a step asks for.
        fleet: Who works.
        mode: How playing and learning alternate.
    """
    rounds = played(work)
    episodes = sum(rounds) * work.attempts
    rows = episodes * (1 - work.uniform)
    sampling = float(np.mean([_sampling(costs, work, fleet, rounds, i) for i in range(_DRAWS)]))
    judging = 0.0 if work.judge_inline else _judging(work, work.judge_workers * fleet.hosts)
    # What surrounds the sampling of an episode goes on where it is sampled.
    sampling += episodes * (costs.episode + work.turns * work.judge * work.judge_inline) / fleet.samplers
    apart = not fleet.shared or mode != "synchronous"
    learning = _learning(costs, work, fleet, rows) + apart * 4 * costs.trained * costs.sync_byte
    trainer_bytes, sampler_bytes = _memory(costs, work, fleet)
    parts = {"sampling": sampling, "judging": judging, "learning": learning, "other": costs.step}
    in_turn = Forecast(
        mode,
        fleet,
        sum(parts.values()),
        **parts,
        rollouts=float(episodes),
        learned=rows,
        dropped=0.0,
        samplers_a_trainer=sampling * fleet.samplers / max(1e-12, learning * fleet.trainers),
        bottleneck=max(parts, key=parts.__getitem__),
        trainer_bytes=trainer_bytes,
        sampler_bytes=sampler_bytes,
    )
    return in_turn if mode == "synchronous" else _ahead(costs, work, in_turn)


def _ahead(costs: UnitCosts, work: Workload, in_turn: Forecast) -> Forecast:
    """Return what becomes of a step whose parts go on side by side."""
    fleet, versions = in_turn.fleet, STALENESS[in_turn.mode] + 1
    lives = _lives(costs, work, fleet)
    workers = work.judge_workers * fleet.hosts
    judging = 0.0 if work.judge_inline else in_turn.rollouts * work.turns * work.judge / workers
    begun = in_turn.rollouts / (work.groups * work.attempts)
    seconds, more, limits = 0.0, 1.0, dict[str, float]()
    for _ in range(100):  # how long a step takes decides what is too old, and that how much must be played
        known = np.minimum(lives, versions * seconds) if seconds else lives[:0]
        playing, learning = more * in_turn.sampling, in_turn.learning + in_turn.other
        waiting = fleet.shared * (1 - costs.overlap) * min(playing, learning)
        limits = {
            "sampling": playing + waiting,
            "learning": learning + waiting,
            "judging": more * judging,
            # No more than `versions` times the groups of a step are alive at a time.
            "staleness": more * begun * float(known.mean()) / versions if seconds else 0.0,
        }
        new = max(limits.values())
        if abs(new - seconds) < 1e-4 * new:
            break
        seconds = new if seconds == 0 else (seconds + new) / 2
        more = 1 / (1 - min(0.9, float((lives > versions * seconds).mean())))
    slowest = max(limits, key=limits.__getitem__)
    if fleet.shared and slowest in ("sampling", "learning"):
        slowest = "sampling" if playing > in_turn.learning else "learning"
    return replace(
        in_turn,
        seconds=seconds,
        sampling=more * in_turn.sampling,
        judging=more * judging,
        rollouts=more * in_turn.rollouts,
        learned=float(work.groups * work.attempts),
        dropped=1 - 1 / more,
        bottleneck=slowest,
    )


def step_seconds(costs: UnitCosts, batch: float, context: float) -> float:
    """Return the seconds of one more token for each of `batch` rows, behind `context` tokens each."""
    return costs.decode_step + batch * (costs.decode_token + context * costs.cache_token)


def _sampling(costs: UnitCosts, work: Workload, fleet: Fleet, rounds: list[int], draw: int) -> float:
    """Return the seconds of sampling of one synchronous step, by chance number `draw`."""
    generator = derive_generator(0, "plan", "lengths", draw)
    sampling = 0.0
    for groups in rounds:
        alive = min(work.in_flight, ceil(groups * work.attempts / fleet.samplers))
        batches = ceil(groups * work.attempts / fleet.samplers / alive)
        for turn in range(ceil(work.turns)):
            part = min(1.0, work.turns - turn)
            rows = max(1, round(alive * part))
            lengths = _lengths(work, generator, rows)
            reading = _read_tokens(costs, work, turn, rows)
            context = work.prompt + turn * (work.reply + work.observation)
            decoding = _decoding(costs, lengths, context)
            sampling += batches * (costs.prefill + reading * costs.prefill_token + decoding)
    return sampling


@lru_cache  # the same for every division of the devices, and drawn job by job
def _judging(work: Workload, workers: int) -> float:
    """Return the seconds of one synchronous step in which worlds are waited for."""
    seconds = 0.0
    for draw in range(_DRAWS):
        generator = derive_generator(0, "plan", "judge", draw)
        for groups in played(work):
            for turn in range(ceil(work.turns)):
                asked = max(1, round(groups * work.attempts * min(1.0, work.turns - turn)))
                seconds += _makespan(_judged(work, generator, asked), workers)
    return seconds / _DRAWS


def _decoding(costs: UnitCosts, lengths: NDArray[np.float64], context: float) -> float:
    """Return the seconds of a batch of replies behind contexts of one length."""
    falling = np.sort(lengths)[::-1]
    seconds, rows, done = 0.0, len(falling), 0.0
    while rows > 0:
        # The batch loses rows when at most `crowded` of them go on, which is when this one ends.
        end = float(falling[min(rows - 1, int(costs.crowded * rows))])
        seconds += (end - done) * step_seconds(costs, rows, context + (done + end) / 2)
        rows, done = int((falling > end).sum()), end
    return seconds


def _read_tokens(costs: UnitCosts, work: Workload, turn: int, rows: int) -> float:
    """Return how many tokens `rows` contexts have that must be read before reply number `turn`."""
    if turn == 0:
        return max(1.0, rows / work.attempts) * work.prompt
    new = work.observation if costs.caches_prefixes else work.prompt + turn * (work.reply + work.observation)
    return rows * new


def _learning(costs: UnitCosts, work: Workload, fleet: Fleet, rows: float) -> float:
    laid = laid_out(work, rows)
    passed = work.epochs * (laid.tokens * costs.train_token + laid.pairs * costs.train_pair) / fleet.trainers
    steps = work.optimiser_steps * work.epochs
    summed = 2 * (fleet.trainers - 1) / fleet.trainers * 4 * costs.trained * costs.reduce_byte
    return steps * (costs.train_step + summed) + passed


def _memory(costs: UnitCosts, work: Workload, fleet: Fleet) -> tuple[float, float]:
    """Return bytes of a trainer (weights, gradients and AdamW's two moments in float32) and of a sampler."""
    context = work.prompt + work.turns * (work.reply + work.observation)
    alive = min(work.in_flight, work.groups * work.attempts / fleet.samplers)
    return 16 * costs.trained, costs.weight_bytes + costs.cache_bytes * context * alive


def _lives(costs: UnitCosts, work: Workload, fleet: Fleet) -> NDArray[np.float64]:
    """Return how long groups live that are played among others, `[1024]` drawn ones."""
    generator, shape = derive_generator(0, "plan", "lives"), (1024, work.attempts)
    alive = min(work.in_flight, work.groups * work.attempts / fleet.samplers)
    longest, context = np.zeros(shape), work.prompt + work.turns * (work.reply + work.observation) / 2
    for _ in range(ceil(work.turns)):
        longest += _lengths(work, generator, shape) * step_seconds(costs, alive, context)
        if not work.judge_inline:
            longest += _judged(work, generator, shape)
    return np.asarray(longest.max(axis=1))


def _lengths(work: Workload, generator: np.random.Generator, shape: int | tuple[int, ...]) -> NDArray[np.float64]:
    drawn = _drawn(work.reply, work.reply_sigma, generator, shape)
    return np.clip(np.round(drawn), 1, max(1, work.reply_limit))


def _judged(work: Workload, generator: np.random.Generator, shape: int | tuple[int, ...]) -> NDArray[np.float64]:
    return _drawn(work.judge, work.judge_sigma, generator, shape)


def _drawn(
    mean: float, sigma: float, generator: np.random.Generator, shape: int | tuple[int, ...]
) -> NDArray[np.float64]:
    """Return log-normal numbers of this mean."""
    return np.asarray(mean * np.exp(sigma * generator.standard_normal(shape) - sigma**2 / 2))


def _makespan(seconds: NDArray[np.float64], workers: int) -> float:
    """Return when the last of some jobs ends that workers take in turn."""
    if len(seconds) <= workers:
        return float(seconds.max())
    free = list(seconds[:workers])
    heapify(free)
    for job in seconds[workers:]:
        heapreplace(free, free[0] + job)
    return float(max(free))


def divide(costs: UnitCosts, work: Workload, devices: int, hosts: int, mode: Mode) -> Forecast:
    """Return the forecast of the best division of devices into samplers and trainers."""
    if devices == 1:
        return forecast(costs, work, Fleet(hosts=hosts), mode)
    tried = sorted({max(1, min(devices - 1, round(devices * share / 16))) for share in range(1, 16)})
    found = [forecast(costs, work, Fleet(s, devices - s, hosts, shared=False), mode) for s in tried]
    best = min(found, key=_merit)
    near = {best.fleet.samplers + by for by in (-1, 1)} & set(range(1, devices))
    found += [forecast(costs, work, replace(best.fleet, samplers=s, trainers=devices - s), mode) for s in near]
    return min(found, key=_merit)


def _merit(one: Forecast) -> tuple[float, float]:
    """Order by step time, to about a hundredth; of equals the one whose busiest part has most room."""
    return round(float(np.log(one.seconds)), 2), max(one.sampling, one.learning)
