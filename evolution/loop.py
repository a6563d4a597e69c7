"""The loop: acquire, refine, update, evaluate, set the next objective; again and again.

A run is its experience. Each step's episodes are committed before they are learned from, and an update, of weights or
of what an agent is told, is a function of what was before and those episodes; so a run killed at any moment continues
from its last checkpoint by redoing the updates on recorded episodes, and ends with what it would have had.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from palaestra.agents.agent import Agent
from palaestra.agents.episode import Episode
from palaestra.evolution.acquisition.afar import source_ahead
from palaestra.evolution.acquisition.source import AtOnce, Source, played_ahead
from palaestra.evolution.evaluation.auditing import Auditor
from palaestra.evolution.evaluation.record import Evaluation
from palaestra.evolution.executor import rollout_on
from palaestra.evolution.league import League, learn_of
from palaestra.evolution.learner import FixedLearner, Learned, Learner, WeightLearner
from palaestra.evolution.pace import refuse_stale
from palaestra.evolution.recipe import Recalls, Recipe, Situated
from palaestra.evolution.refinement.groups import by_group, is_informative
from palaestra.evolution.report.course import UNIFORM_GROUPS
from palaestra.evolution.report.curve import draw_curve
from palaestra.evolution.report.table import choose_examples
from palaestra.evolution.report.watching import best_replies, reply_length, watch
from palaestra.evolution.result import Result
from palaestra.evolution.run import Run
from palaestra.evolution.spending import Spending
from palaestra.evolution.state import LoopState
from palaestra.evolution.updating.in_context.learner import ContextLearner
from palaestra.evolution.updating.in_context.update import InContext
from palaestra.evolution.updating.peers import Peers
from palaestra.evolution.updating.unchanged import Unchanged
from palaestra.evolution.updating.updater import Beginning
from palaestra.evolution.view import Phase, StepRecord, View
from palaestra.evolution.yard import Yard, refuse_held_out

__all__ = ["Loop"]


class Loop:
    """One process's work on a run.

    Args:
        run: Where everything is written.
        recipe: One choice for each phase.
        agent: Who learns.
        view: Who watches.
        peers: Processes that take part in every update; None trains alone.
    """

    def __init__(self, run: Run, recipe: Recipe, agent: Agent, view: View, peers: Peers | None = None) -> None:
        self.run, self.recipe, self.view = run, recipe, view
        self.learner = _learner(run, recipe, agent, peers or Peers())
        weights = self.learner.policy if isinstance(self.learner, WeightLearner) else None
        trusting = weights.trust_remote_code if weights is not None else False
        league = League(run.directory / "league", trust_remote_code=trusting)
        # Earlier runs do not name an executor.
        rollout = rollout_on(run.config.get("executor", ""), self.learner.agent)
        self.yard = Yard(rollout, run.config["seed"], league, learner=weights)
        if isinstance(self.learner, ContextLearner) and isinstance(recipe.update, InContext):
            self.yard.aside = recipe.update.validate.share
            self.learner.yard = self.yard
        self.yard.recorded = lambda step: run.experience.read(_shard(step))
        # What the run was begun with; runs of earlier versions do not say it.
        auditor = run.config.get("auditor", "")
        self.auditor = Auditor(auditor) if auditor else None
        self.spending = Spending()
        self.staleness: int = run.config.get("staleness", 0)
        self.source: Source = AtOnce(recipe.acquire, self.yard)
        if self.staleness > 0:
            ahead = played_ahead(recipe.acquire, self.staleness)
            self.source = source_ahead(ahead, self.yard, run.experience, self.staleness)

    def go_on(self, state: LoopState) -> Result:
        """Turn the loop from where `state` stands to the end."""
        try:
            self.learner.begin()
            if not state.history:
                self.evaluate(state)
            while state.step < self.recipe.steps:
                self.turn(state)
        finally:
            self.source.close()
            self.yard.rollout.close()
            self.learner.close()
        return self.finish(state)

    def turn(self, state: LoopState) -> None:
        """Go once through the phases and commit."""
        step, clock = state.step + 1, _Clock(self.view)
        with clock(Phase.ACQUIRE):
            acquired = self.acquire(state.objective.env, step)
            learn_of(self.yard.league, acquired)
            recalled = self.recall(state.objective.env, step)
        played = acquired or recalled  # a step that plays nothing is known by what it takes up
        with clock(Phase.REFINE):
            refined, counts = self.refine(acquired, recalled, step)
            audited = self.audit(state.objective.env, played)
        with clock(Phase.UPDATE):
            before = self.learner.version
            learned = self.learner.learn(refined, state.objective.env, step) if refined else Learned({}, {})
            metrics = learned.metrics
            self.source.updated()
        if refined:  # what no label has chosen may be wrong, and then is learned
            metrics["refined_correct"] = sum(episode.correct for episode in refined) / len(refined)
        groups = by_group(played).values()
        metrics[UNIFORM_GROUPS] = sum(not is_informative(group) for group in groups) / max(1, len(groups))
        state.start_length = state.start_length or reply_length(played)
        state.count(acquired, refined, clock.total, self.learner.version)
        self.run.record_lineage(
            step,
            {
                "objective": state.objective.env,
                "experience": _shard(step),
                "refined": counts,
                "learned_from": [episode.id for episode in refined],
                "version_before": before,
                "version_after": self.learner.version,
                "last_evaluation": state.history[-1].step,
                "best_paid": best_replies(played, audited),
            }
            | learned.lineage
            | ({"audit_failure": self.auditor.failure} if self.auditor and self.auditor.failure else {}),
        )
        lineage = self.run.experience.lineage(_shard(step))
        pace = self.source.pace.figures(refined, before, clock.seconds, lineage)
        record = _record(step, self.recipe.steps, acquired, played, refined, clock.seconds, metrics, pace)
        self.report(replace(record, watched=watch(played, state.start_length, audited)))
        if step % self.recipe.evaluate_every == 0 or step == self.recipe.steps:
            state.objective = state.objective.next(self.evaluate(state))
        if step % self.recipe.checkpoint_every == 0 or step == self.recipe.steps:
            self.checkpoint(state)

    def acquire(self, env: str, step: int) -> list[Episode]:
        """Return the step's episodes: recorded ones if the run has them, else new ones, recorded."""
        self.recipe.acquire.prepare(self.yard, step)
        if _shard(step) not in self.run.experience:
            acquired, lineage = self.source.acquire(env, step)
            self.run.experience.write(
                _shard(step), acquired, {"step": step, "env": env, "version": self.learner.version, **lineage}
            )
            return acquired
        return self.run.experience.read(_shard(step))

    def recall(self, env: str, step: int) -> list[Episode]:
        """Return what the step takes up of earlier ones."""
        acquire = self.recipe.acquire
        return acquire.recall(self.yard, env, step) if isinstance(acquire, Recalls) else []

    def refine(
        self, acquired: Sequence[Episode], recalled: Sequence[Episode], step: int
    ) -> tuple[list[Episode], dict[str, int]]:
        """Return what is worth learning from, and how many episodes were left after each filter."""
        refined = [episode for episode in (*recalled, *acquired) if episode.valid]
        counts = {"acquired": len(acquired), "recalled": len(recalled), "valid": len(refined)}
        for place, part in enumerate(self.recipe.refine):
            refined = (part.at(self.yard, step) if isinstance(part, Situated) else part)(refined)
            name, number = (
                type(part).__name__,
                1 + sum(type(other) is type(part) for other in self.recipe.refine[:place]),
            )
            counts[name if number == 1 else f"{name} {number}"] = len(refined)
        refuse_held_out(refined)
        if self.staleness > 0:
            refuse_stale(refined, self.learner.version, self.staleness)
        return refined, counts

    def audit(self, env: str, episodes: Sequence[Episode]) -> dict[str, float] | None:
        """Return what the auditor pays for a step's episodes, by their ids; None where there is no auditor."""
        if self.auditor is None:
            return None
        tasks = {task.id: task for task in self.yard.split(env).train}
        return self.auditor([episode for episode in episodes if episode.env == env], tasks)

    def evaluate(self, state: LoopState) -> Evaluation:
        """Measure the present weights on held-out tasks of every environment of the objective."""
        clock, shard = _Clock(self.view), _shard(state.step)
        with clock(Phase.EVALUATE):
            store, evaluate = self.run.evaluations, self.recipe.evaluate
            envs = state.objective.evaluated
            if shard not in store:
                began = time.perf_counter()
                played = {env: evaluate.play(self.yard, env, state.step) for env in envs}
                lived = [episode for one_env in played.values() for episode in one_env.episodes]
                figures = {env: one_env.figures for env, one_env in played.items()}
                seconds = time.perf_counter() - began
                store.write(shard, lived, {"step": state.step, "seconds": seconds, "figures": figures})
            episodes, measured = store.read(shard), store.lineage(shard).get("figures", {})
            scores = tuple(s for env in envs for s in evaluate.scores(env, episodes, measured.get(env, {})))
            for env in envs:
                evaluate.settle(self.yard, env, episodes, state.step)
        evaluation = Evaluation(state.step, self.learner.version, scores)
        state.history.append(evaluation)
        state.seconds += clock.total
        spent = self.spending.since(self.learner.agent)
        for score in scores:
            values = {"accuracy": score.accuracy.value, "low": score.accuracy.low, "high": score.accuracy.high}
            rest = {"reward": score.mean_reward, **score.figures}
            self.run.log(state.step, f"evaluate/{score.env}", values | rest | spent)
            spent = {}  # it counts once
        self.view.evaluated(evaluation)
        return evaluation

    def report(self, record: StepRecord) -> None:
        """Log a committed step and tell whoever watches."""
        values = {"reward": record.reward, "correct": record.correct, "acquired": record.acquired, "used": record.used}
        times = {f"seconds/{phase}": seconds for phase, seconds in record.seconds.items()}
        rest = {"invalid": record.invalid, "tokens": record.tokens} | times | dict(record.pace)
        rest |= {f"watch/{name}": figure for name, figure in record.watched.items()}
        rest |= self.spending.since(self.learner.agent)
        self.run.log(record.step, "train", values | rest | {f"update/{k}": v for k, v in record.metrics.items()})
        self.view.stepped(record)

    def checkpoint(self, state: LoopState) -> None:
        """Commit everything that the rest of the run depends on."""

        def write(directory: Path) -> None:
            self.learner.save(directory)
            self.yard.league.save(directory)
            (directory / "loop.json").write_text(json.dumps(state.as_json(), indent=1))

        ends = state.step in (0, self.recipe.steps)
        self.run.commit_checkpoint(state.step, write, pinned=ends)

    def finish(self, state: LoopState) -> Result:
        """Write down what came of the run."""
        first, last = state.history[0], state.history[-1]
        env = first.scores[0].env
        before, after = (
            [e for e in self.run.evaluations.read(_shard(evaluation.step)) if e.env == env]
            for evaluation in (first, last)
        )
        result = Result(
            recipe=self.recipe.name,
            seed=self.yard.seed,
            env=env,
            before=first,
            after=last,
            history=tuple(state.history),
            episodes=state.episodes,
            used=state.used,
            invalid=state.invalid,
            steps=state.step,
            seconds=state.seconds,
            birth_seconds=state.birth_seconds,
            examples=choose_examples(before, after),
            run=self.run.directory,
        )
        draw_curve(result.history, self.run.directory / "metrics.jsonl", self.run.directory / "curve.png")
        self.run.finish(result.as_json())
        return result


def _learner(run: Run, recipe: Recipe, agent: Agent, peers: Peers) -> Learner:
    """Return who learns: an agent in context, or a policy by its weights."""
    config, sampling = run.config, recipe.acquire.sampling
    if isinstance(recipe.update, InContext):
        return ContextLearner(agent, recipe.update, run, sampling)
    if isinstance(recipe.update, Unchanged):
        return FixedLearner(agent)
    beginning = Beginning(
        seed=config["seed"],
        planned_steps=recipe.steps,
        sampling=sampling,
        scratch=run.directory / "scratch",
        report_to=config["report_to"],
        peers=peers,
    )
    # Earlier runs do not name an engine.
    return WeightLearner(agent, config["policy"], recipe.update, beginning, config.get("engine", ""))


@dataclass
class _Clock:
    """Wall-clock by phase, told to the view as it goes."""

    view: View
    seconds: dict[Phase, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, phase: Phase) -> Iterator[None]:
        self.view.phase(phase)
        began = time.perf_counter()
        yield
        self.seconds[phase] = time.perf_counter() - began

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


def _shard(step: int) -> str:
    return f"step-{step:06d}"


def _record(
    step: int,
    steps: int,
    acquired: Sequence[Episode],
    played: Sequence[Episode],
    refined: Sequence[Episode],
    seconds: dict[Phase, float],
    metrics: Mapping[str, float],
    pace: Mapping[str, float],
) -> StepRecord:
    valid = [episode for episode in played if episode.valid]
    count = max(1, len(valid))
    return StepRecord(
        step=step,
        steps=steps,
        reward=sum(episode.reward for episode in valid) / count,
        correct=sum(episode.correct for episode in valid) / count,
        acquired=len(acquired),
        used=len(refined),
        invalid=sum(not episode.valid for episode in acquired),
        tokens=sum(episode.tokens for episode in acquired),
        seconds=seconds,
        metrics=metrics,
        pace=pace,
    )
