"""Measures unit costs and a workload here, with the policy, the world and the recipe that are planned for."""

import copy
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from palaestra.agents.attending import JUDGING, SAMPLING
from palaestra.agents.cache import Footprint
from palaestra.agents.decode import CROWDED, continue_batch
from palaestra.agents.episode import Episode
from palaestra.agents.local import LocalPolicy
from palaestra.agents.policy import Request, Sampling
from palaestra.agents.rollout import Rollout
from palaestra.agents.specs import load_agent
from palaestra.agents.twin import Twin, trained_weights
from palaestra.envs.errors import UsageError
from palaestra.envs.text_env import TextEnv
from palaestra.evolution.acquisition.groups import SampleGroups, refuse_total_failure
from palaestra.evolution.experience import ExperienceStore
from palaestra.evolution.planning.costs import UnitCosts, Workload
from palaestra.evolution.planning.forecast import laid_out
from palaestra.evolution.recipe import Recipe
from palaestra.evolution.refinement.groups import by_group, is_informative
from palaestra.evolution.updating.policy_gradient import PolicyGradient
from palaestra.evolution.updating.updater import Beginning
from palaestra.evolution.yard import Yard
from scipy.optimize import nnls

__all__ = ["calibrate"]

_REPEATS = 7
# Enough groups to tell lengths and judges by; a step of more is not played whole.
_GROUPS = 32
_REPLIES_TIMED = 32
_TOKENS = 48


def calibrate(recipe: Recipe, env: str, policy: str, seed: int = 0) -> tuple[UnitCosts, Workload]:
    """Play and learn a little, and return what each unit took and what a step asks for.

    Args:
        recipe: One that samples groups and learns by a policy gradient.
        env: Where.
        policy: Spec of who learns; its own weights stay as they are.
        seed: Names the tasks and all randomness.

    Raises:
        UsageError: If the recipe is another, or the policy has no weights in this process.
    """
    acquire, update = recipe.acquire, recipe.update
    if not isinstance(acquire, SampleGroups) or not isinstance(update, PolicyGradient):
        raise UsageError(
            f"A plan knows recipes that sample groups and learn by a policy gradient; {recipe.name} acquires by "
            f"{type(acquire).__name__} and learns by {type(update).__name__}. Take grpo or one of its kin."
        )
    agent = load_agent(policy, sampling=acquire.sampling, trainable=True, seed=seed)
    if not isinstance(agent.policy, LocalPolicy):
        raise UsageError(f"{policy} has no weights in this process; plan with local: or nursery:.")
    yard = Yard(Rollout(agent), seed)
    asked = acquire.drawn(yard, env, 1)[: _GROUPS * acquire.attempts]
    yard.rollout.play(asked[: acquire.attempts])  # whatever is loaded or compiled at first
    before, began = yard.rollout.meter.read(), time.perf_counter()
    episodes = yard.rollout.play(asked)
    spent = {kind: seconds - before.get(kind, 0.0) for kind, seconds in yard.rollout.meter.read().items()}
    rest = time.perf_counter() - began - spent.get(SAMPLING, 0.0) - spent.get(JUDGING, 0.0)
    refuse_total_failure(episodes, env)
    episodes = [episode for episode in episodes if episode.valid]
    work = _workload(acquire, update, episodes, yard.rollout, env)
    work = _with_judge(work, yard.rollout.env(env), episodes, spent.get(JUDGING, 0.0))
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        step, episode = _recording(episodes, place)
        training, learn = _training(recipe, update, agent.policy, episodes, work, place, seed)
        overlap = _overlap(agent.policy, acquire.sampling, episodes, learn)
    sampler = _sampling(agent.policy, work, episodes)
    trained = sum(weight.numel() for weight in trained_weights(agent.policy.model).values())
    costs = UnitCosts(
        name=f"{policy} on {_device(agent.policy)}",
        **sampler._asdict(),
        crowded=CROWDED,
        **training._asdict(),
        episode=max(0.0, rest) / len(asked) + episode,
        step=step,
        overlap=overlap,
        sync_byte=_synchronising(agent.policy) / (4 * trained),
        weight_bytes=float(sum(weight.numel() * weight.element_size() for weight in agent.policy.model.parameters())),
        trained=float(trained),
        cache_bytes=float(Footprint.of(agent.policy.model).cached),
        memory_bytes=_memory(agent.policy),
    )
    return costs, work


class _Training(NamedTuple):
    """What learning costs; see `UnitCosts`."""

    train_step: float
    train_token: float
    train_pair: float


class _Decoding(NamedTuple):
    """What sampling costs; see `UnitCosts`."""

    prefill: float
    prefill_token: float
    decode_step: float
    decode_token: float
    cache_token: float


def _workload(
    acquire: SampleGroups, update: PolicyGradient, episodes: Sequence[Episode], rollout: Rollout, env: str
) -> Workload:
    turns = [turn for episode in episodes for turn in episode.turns]
    replies = np.array([len(turn.reply_ids) for turn in turns], float)
    firsts = [len(episode.turns[0].context_ids) for episode in episodes]
    later = [len(turn.context_ids) for episode in episodes for turn in episode.turns[1:]]
    groups = by_group(list(episodes)).values()
    return Workload(
        groups=acquire.groups,
        attempts=acquire.attempts,
        rounds=acquire.rounds,
        uniform=min(0.95, sum(not is_informative(group) for group in groups) / len(groups)),
        prompt=float(np.mean(firsts)),
        reply=float(replies.mean()),
        reply_sigma=float(np.log(replies).std()),
        reply_limit=acquire.sampling.max_tokens,
        turns=len(turns) / len(episodes),
        observation=float(np.mean(later)) if later else 0.0,
        judge_inline=bool(rollout.env(env).metadata.get("instant", False)),
        judge_workers=rollout.workers,
        in_flight=rollout.in_flight,
        optimiser_steps=update.updates_per_batch,
        epochs=update.epochs,
    )


def _with_judge(work: Workload, env: TextEnv, episodes: Sequence[Episode], judging: float) -> Workload:
    """Add what worlds take: on our thread by what was spent there, else by asking them again, one after another."""
    if work.judge_inline:
        return replace(work, judge=judging / sum(len(episode.turns) for episode in episodes))
    tasks, seconds = {task.id: task for task in env.tasks}, []
    asked, world = episodes[:: max(1, len(episodes) // _REPLIES_TIMED)][:_REPLIES_TIMED], env.clone()
    for episode in asked:
        world.reset(seed=episode.seed, options={"task": tasks[episode.task]})
        for turn in episode.turns:
            began = time.perf_counter()
            world.step(turn.action)
            seconds.append(time.perf_counter() - began)
    spread = float(np.log(np.maximum(seconds, 1e-6)).std())
    return replace(work, judge=float(np.mean(seconds)), judge_sigma=spread)


def _sampling(policy: LocalPolicy, work: Workload, episodes: Sequence[Episode]) -> "_Decoding":
    """Measure the policy's sampler, without the words around it."""
    contexts = [episode.turns[0].context_ids for episode in episodes]
    many = max(2 * work.attempts, min(work.in_flight, work.groups * work.attempts))
    longest = min(work.reply_limit, _TOKENS, policy.context_limit - max(map(len, contexts)))
    half, whole = max(2, longest // 2), max(3, longest)

    def sample(rows: int, length: int) -> float:
        generator = np.random.default_rng(0)
        vocabulary = int(policy.model.config.get_text_config().vocab_size)
        asked = []
        for row in range(rows):  # of ids that no other context has, so that none is read for another
            context = generator.integers(0, vocabulary, len(contexts[row % len(contexts)]), dtype=np.int32)
            asked.append(Request(context, Sampling(max_tokens=length), row))
        return _seconds(
            lambda: continue_batch(
                policy.model,
                policy.tokenizer,
                asked,
                limits=np.full(rows, length, np.int32),
                stop_ids=(),
                position_limit=policy.context_limit,
                version=0,
            )
        )

    was = policy.model.training
    policy.model.train(False)
    try:
        few = work.attempts
        read = [sample(rows, 1) for rows in (few, many)]
        # Half of the tokens, by a few rows and by many; and the other half, which has more before it.
        first = [sample(rows, half) for rows in (few, many)]
        second = sample(many, whole)
    finally:
        policy.model.train(was)
    prefill, prefill_token = _line((few * work.prompt, read[0]), (many * work.prompt, read[1]))
    early = [(took - one) / (half - 1) for took, one in zip(first, read, strict=True)]
    late = (second - first[1]) / (whole - half)
    step, by_row = _line((few, early[0]), (many, early[1]))
    cached = min(by_row / (work.prompt + half / 2), max(0.0, (late - early[1]) / (many * whole / 2)))
    return _Decoding(prefill, prefill_token, step, by_row - cached * (work.prompt + half / 2), cached)


def _training(
    recipe: Recipe,
    update: PolicyGradient,
    policy: LocalPolicy,
    episodes: Sequence[Episode],
    work: Workload,
    place: Path,
    seed: int,
) -> tuple[_Training, Callable[[], object]]:
    """Return what learning takes a copy of the policy, and what was timed."""
    learner = LocalPolicy(copy.deepcopy(policy.model), policy.tokenizer, policy.name)
    beginning = Beginning(seed, recipe.steps, recipe.acquire.sampling, place / "scratch")
    updater = update.start(learner, beginning)
    # Paid in turn, so that every group teaches something.
    paid = [replace(e, turns=tuple(replace(t, reward=float(i % 2)) for t in e.turns)) for i, e in enumerate(episodes)]
    groups = max(1, len(paid) // work.attempts)
    few, half, whole = (paid[: max(1, groups // by) * work.attempts] for by in (4, 2, 1))
    # Few rows and many, and groups of twice as many attempts, which make rows wider.
    again = [replace(e, id=f"{e.id}, again", attempt=work.attempts + e.attempt) for e in half]
    crowded = [e for group in by_group(half + again).values() for e in group]
    points = []
    for rows, attempts in ((few, work.attempts), (whole, work.attempts), (crowded, 2 * work.attempts)):
        updater.step(rows)
        laid = laid_out(replace(work, attempts=attempts), len(rows))
        points.append((laid, _seconds(lambda rows=rows: updater.step(rows))))  # type: ignore[misc]
    steps = work.optimiser_steps * work.epochs
    asked = np.array([(steps, work.epochs * laid.tokens, work.epochs * laid.pairs) for laid, _ in points])
    seconds = np.array([took for _, took in points])
    # Shares of each point's time: a large point's noise must not drown what a small one says.
    found, _ = nnls(asked / seconds[:, None], np.ones(3))
    return _Training(*map(float, found)), lambda: updater.step(whole)


def _overlap(
    policy: LocalPolicy, sampling: Sampling, episodes: Sequence[Episode], learn: Callable[[], object]
) -> float:
    """Return which share of the shorter of sampling and learning passes beside the longer."""
    twin = Twin.of(policy)
    asked = [Request(episode.turns[0].context_ids, sampling, i) for i, episode in enumerate(episodes)]

    def play() -> object:
        return twin.sample(asked)

    def both() -> None:
        with ThreadPoolExecutor(max_workers=1) as beside:
            playing = beside.submit(play)
            learn()
            playing.result()

    alone = _seconds(play), _seconds(learn)
    return float(np.clip((sum(alone) - _seconds(both)) / min(alone), 0.0, 1.0))


def _recording(episodes: Sequence[Episode], place: Path) -> tuple[float, float]:
    """Return the fixed and the by-episode seconds of committing a step's experience."""
    store, numbers = ExperienceStore(place / "experience", distinct=False), iter(range(1_000))
    points = []
    for count in (max(1, len(episodes) // 4), len(episodes)):
        some = list(episodes[:count])
        points.append((float(count), _seconds(lambda some=some: store.write(f"step-{next(numbers):06d}", some, {}))))  # type: ignore[misc]
    return _line(*points)


def _synchronising(policy: LocalPolicy) -> float:
    twin, weights = Twin.of(policy), trained_weights(policy.model)
    return _seconds(lambda: twin.take(weights, 1))


def _seconds(work: Callable[[], object]) -> float:
    """Return the median of some repeats' seconds: what else the machine does will also go on during the run."""
    found = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        found.append(time.perf_counter() - began)
    return float(np.median(found))


def _line(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    """Return where the line through two points begins and how it rises; neither below 0."""
    (x, y), (further, higher) = one, other
    rise = max(0.0, (higher - y) / (further - x)) if further > x else 0.0
    return max(0.0, min(y, higher) - rise * x), rise or higher / max(x, 1e-9) * (further <= x)


def _device(policy: LocalPolicy) -> str:
    if policy.device.type == "cuda":
        return str(torch.cuda.get_device_name(policy.device))
    return f"{torch.get_num_threads()} threads of the processor"


def _memory(policy: LocalPolicy) -> float:
    return float(torch.cuda.get_device_properties(policy.device).total_memory) if policy.device.type == "cuda" else 0.0
