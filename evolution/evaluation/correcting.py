"""Evaluate ways of answering that need no training: drafts and panels, beside one answer alone."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from palaestra.agents.agent import Agent
from palaestra.agents.drafting import Drafts, drafts_in, verdict_on
from palaestra.agents.episode import Episode, Turn
from palaestra.agents.panel import Panels
from palaestra.agents.policy import Sampling
from palaestra.agents.rollout import Assignment
from palaestra.envs.arena.catalogue import is_arena
from palaestra.envs.errors import UsageError
from palaestra.envs.seeding import derive_generator, derive_seed
from palaestra.envs.task import Task
from palaestra.envs.text_env import TextEnv
from palaestra.envs.verdict import Status, Verdict
from palaestra.evolution.evaluation.record import Played, Score
from palaestra.evolution.evaluation.rounds import (
    Course,
    course_of_drafts,
    course_of_votes,
    figures_of,
    share_right,
    votes_within,
)
from palaestra.evolution.yard import Yard

__all__ = ["ALONE", "MEASURE", "Arm", "Correcting"]

ALONE = "alone"
"""Group of the episodes in which the policy simply answers."""
MEASURE = "held-out accuracy"
# Programs are run side by side; a judgement inline costs less than a thread.
_JUDGES = 16


@dataclass(frozen=True)
class Arm:
    """One way of answering.

    Attributes:
        name: What it is called.
        how: Drafts or a panel.
        matched: Name of another arm; a panel's vote is then also counted within the tokens which that arm has spent on
            the same task. Nothing counts all votes alone.
    """

    name: str
    how: Drafts | Panels
    matched: str = ""


@dataclass(frozen=True)
class Correcting:
    """Play held-out tasks before the first step alone, later in every arm; judge every draft and member's answer.

    The first answers are the same in all arms, and those that are given alone, where they are sampled alike. Verdicts
    on drafts stand in the recorded turns; no policy was told them unless its arm says so. The first arm's accuracy is
    that of the environment; each of the others has a score of its own.

    Attributes:
        arms: The ways, the one that the recipe is about first.
        tasks: Most held-out tasks.
        attempts: How often each is played, in every arm.
        sampling: How the policy samples.
        alone: How it answers alone: as in the arms (`"sampled"`) or greedily.
    """

    arms: tuple[Arm, ...]
    tasks: int = 500
    attempts: int = 1
    sampling: Sampling = Sampling(max_tokens=64)
    alone: Literal["sampled", "greedy"] = "sampled"

    def __post_init__(self) -> None:
        names = [arm.name for arm in self.arms]
        if not names or len({*names, ALONE}) <= len(names):
            raise UsageError(f"Arms need names of their own, none of them {ALONE!r}; got {names}.")
        if self.attempts < 1 or self.tasks < 1:
            raise UsageError(f"tasks and attempts must be at least 1, got {self.tasks} and {self.attempts}.")
        for arm in self.arms:
            if arm.matched and arm.matched not in names:
                raise UsageError(f"The arm {arm.name!r} is matched with {arm.matched!r}, which is none of {names}.")

    def require(self, env: str) -> None:
        """Refuse an arena.

        Raises:
            UsageError: If no single answer could be judged.
        """
        if is_arena(env):
            raise UsageError(f"{env!r} is an arena, where no single answer is right; choose an environment of tasks.")

    def play(self, yard: Yard, env: str, step: int) -> Played:
        """Play all episodes of one evaluation."""
        test = yard.split(env).test
        tasks = test.draw(derive_generator(yard.seed, "evaluate", env), min(self.tasks, len(test)))
        world, by_id = yard.rollout.env(env), {task.id: task for task in tasks}
        episodes: list[Episode] = []
        for group, agent, label in self._players(yard.rollout.agent, step):
            assignments = list(self._assigned(env, tasks, yard.seed, group, label))
            played = yard.rollout.played_by(agent).play(assignments)
            _refuse_several(env, played)
            episodes += _judged(world, by_id, played)
        return Played(episodes, {})

    def scores(self, env: str, episodes: Sequence[Episode], figures: Mapping[str, float]) -> tuple[Score, ...]:
        """Return a score for each arm that was played, the first under the name of the environment."""
        del figures
        mine = [episode for episode in episodes if episode.env == env]
        alone = [episode for episode in mine if episode.group == ALONE]
        if alone:
            return (_score(env, MEASURE, alone, self._courses(None, env, alone)),)
        courses = {
            arm.name: self._courses(arm, env, [episode for episode in mine if episode.group == arm.name])
            for arm in self.arms
        }
        return tuple(self._of_arm(number, env, mine, courses) for number in range(len(self.arms)))

    def settle(self, yard: Yard, env: str, episodes: Sequence[Episode], step: int) -> None:
        """Nothing follows from a measurement."""

    def _players(self, agent: Agent, step: int) -> Iterator[tuple[str, Agent, str]]:
        """Yield who plays in which group, and by what name its episodes go."""
        if step == 0:
            greedy = replace(self.sampling, temperature=0.0, top_k=0, top_p=1.0)
            # By the first arm's name: what became of a task is then shown by two episodes of one id.
            yield ALONE, agent.with_sampling(greedy if self.alone == "greedy" else self.sampling), self.arms[0].name
            return
        for arm in self.arms:
            yield arm.name, arm.how.agent(agent.with_sampling(self.sampling)), arm.name

    def _assigned(self, env: str, tasks: Sequence[Task], seed: int, group: str, label: str) -> Iterator[Assignment]:
        for task in tasks:
            for attempt in range(self.attempts):
                # Of no arm: the same first answer in each.
                own = derive_seed(seed, "evaluate", env, "drafts", task.id, attempt)
                yield Assignment(f"{env}/{label}/{task.id}/a{attempt}", env, task, own, group, attempt)

    def _courses(self, arm: Arm | None, env: str, episodes: Sequence[Episode]) -> list[Course]:
        valid = [episode for episode in episodes if episode.valid and episode.turns]
        if arm is None:
            return [course_of_drafts(episode, 0) for episode in valid]
        if isinstance(arm.how, Drafts):
            return [course_of_drafts(episode, arm.how.rounds) for episode in valid]
        world = _reader(env)
        return [course_of_votes(episode, arm.how, world) for episode in valid]

    def _of_arm(
        self, number: int, env: str, episodes: Sequence[Episode], courses: Mapping[str, Sequence[Course]]
    ) -> Score:
        arm = self.arms[number]
        own = [episode for episode in episodes if episode.group == arm.name]
        name = env if number == 0 else f"{env} with {arm.name}"
        score = _score(name, MEASURE if number == 0 else f"{MEASURE}, {arm.name}", own, courses[arm.name])
        if not arm.matched or not courses[arm.name]:
            return score
        tokens: dict[str, list[int]] = {}
        for course in courses[arm.matched]:
            tokens.setdefault(course.task, []).append(course.tokens)
        means = {task: float(np.mean(spent)) for task, spent in tokens.items()}
        found = share_right(courses[arm.name], votes_within(courses[arm.name], means))
        at = f"within tokens of {arm.matched}"
        within = {at: found.value, f"{at} low": found.low, f"{at} high": found.high}
        return replace(score, figures={**score.figures, **within})


def _reader(env: str) -> TextEnv:
    # Scores are also made of recorded episodes, without a yard; the catalogue's world reads answers alike.
    from palaestra.envs.catalogue import make

    return make(env)


def _score(env: str, measure: str, episodes: Sequence[Episode], courses: Sequence[Course]) -> Score:
    valid = [episode for episode in episodes if episode.valid]
    last = [float(course.right[-1]) for course in courses]
    return Score(
        env=env,
        tasks=len({course.task for course in courses}),
        accuracy=share_right(courses, last),
        pass_at_k={},
        mean_reward=float(np.mean([episode.reward for episode in valid])) if valid else math.nan,
        statuses=dict(Counter(str(episode.verdict.status) for episode in valid)),
        invalid=len(episodes) - len(valid),
        tokens=sum(episode.tokens for episode in episodes),
        seconds=0.0,
        measure=measure,
        figures=figures_of(courses) if courses else {},
    )


def _refuse_several(env: str, episodes: Sequence[Episode]) -> None:
    """Raise `UsageError` where a world has judged more than one answer of an episode: rounds are the agent's here."""
    if any(sum(turn.verdict is not None for turn in episode.turns) > 1 for episode in episodes):
        raise UsageError(
            f"{env} lets the agent answer more than once, so that its tries and the rounds of drafts cannot be told "
            "apart. Set its tries to 1."
        )


def _judged(world: TextEnv, tasks: Mapping[str, Task], episodes: Sequence[Episode]) -> list[Episode]:
    """Return episodes whose drafts have the verdict that each would have earned; equal ones are judged once.

    Where one cannot be judged, the episode is invalid.
    """
    wanted = dict.fromkeys(
        (episode.task, turn.action) for episode in episodes if episode.valid for turn in _unjudged(episode)
    )

    def judge(pair: tuple[str, str]) -> Verdict:
        return verdict_on(world, tasks[pair[0]], pair[1])[0]

    if world.metadata.get("instant", False):
        verdicts = list(map(judge, wanted))
    else:
        with ThreadPoolExecutor(_JUDGES, thread_name_prefix="drafts") as pool:
            verdicts = list(pool.map(judge, wanted))
    found = dict(zip(wanted, verdicts, strict=True))
    return [_with_verdicts(episode, found) for episode in episodes]


def _unjudged(episode: Episode) -> list[Turn]:
    return [turn for turn in drafts_in(episode.turns) if turn.verdict is None]


def _with_verdicts(episode: Episode, found: Mapping[tuple[str, str], Verdict]) -> Episode:
    if not episode.valid:
        return episode
    waiting = {id(turn) for turn in _unjudged(episode)}
    turns = tuple(
        replace(turn, verdict=found[episode.task, turn.action]) if id(turn) in waiting else turn
        for turn in episode.turns
    )
    broken = [turn.verdict for turn in turns if turn.verdict is not None and not turn.verdict.valid]
    detail = f"a draft could not be judged: {broken[0].detail}" if broken else ""
    return replace(
        episode,
        turns=turns,
        verdict=Verdict(0.0, Status.INFRASTRUCTURE, detail) if broken else episode.verdict,
    )
