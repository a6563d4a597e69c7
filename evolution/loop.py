"""The loop: acquire, refine, update, evaluate, set the next objective; again and again.

A run is its experience. Each step's episodes are committed before they are learned from, and an update is a function
of the weights before and those episodes; so a run killed at any moment continues from its last checkpoint by redoing
the updates on recorded episodes, and ends with the weights it would have had.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from palaestra.agents.agent import Agent
from palaestra.agents.episode import Episode
from palaestra.agents.local import LocalPolicy
from palaestra.agents.rollout import Rollout
from palaestra.agents.specs import load_agent
from palaestra.envs import catalogue
from palaestra.envs.errors import PalaestraError, RunError, UsageError
from palaestra.evolution.evaluation.held_out import summarise
from palaestra.evolution.evaluation.record import Evaluation
from palaestra.evolution.objective import Objective
from palaestra.evolution.recipe import Recipe, describe
from palaestra.evolution.recipes import find_recipe
from palaestra.evolution.refinement.groups import by_group, is_informative
from palaestra.evolution.report.course import UNIFORM_GROUPS
from palaestra.evolution.report.curve import draw_curve
from palaestra.evolution.report.table import choose_examples
from palaestra.evolution.result import Result
from palaestra.evolution.run import Run
from palaestra.evolution.state import LoopState, objective_from_json
from palaestra.evolution.updating.updater import Updater
from palaestra.evolution.view import Phase, StepRecord, View
from palaestra.evolution.yard import Yard, refuse_held_out

__all__ = ["Interrupted", "evolve", "resume"]


class Interrupted(PalaestraError):  # noqa: N818 (nobody's error: a person pressed Ctrl-C)
    """The run was interrupted and can be continued.

    Attributes:
        run: Its directory.
    """

    def __init__(self, run: Path) -> None:
        super().__init__(f"Interrupted. Nothing committed is lost: palaestra evolve --resume {run}")
        self.run = run


def evolve(
    recipe: Recipe,
    *,
    objective: Objective,
    policy: str,
    seed: int,
    directory: Path | None,
    view: View,
    command: Sequence[str] = (),
    settings: dict[str, object] | None = None,
    report_to: Sequence[str] = (),
) -> Result:
    """Make a policy better by a recipe and return what came of it.

    Args:
        recipe: One choice for each phase.
        objective: What to get better at, and where.
        policy: Spec of the policy; its weights are trained in place, the source is not changed.
        seed: Names all randomness of the run.
        directory: Where the run lies; None makes one under `runs/`.
        view: Who watches.
        command: The command line, for the record.
        settings: What was changed of the recipe that its name stands for; needed to resume.
        report_to: Trackers besides the run's own files, by the trainer's names, such as `"wandb"`.

    Raises:
        Interrupted: After Ctrl-C; the run can be resumed.
        UsageError: If policy, environment and recipe do not fit.
    """
    configuration = {
        "recipe": recipe.name,
        "settings": settings or {},
        "parts": describe(recipe),
        "objective": describe(objective),
        "task_sets": {env: catalogue.make(env).tasks.digest for env in objective.evaluated},
        "policy": policy,
        "seed": seed,
        "command": list(command),
        "report_to": list(report_to),
    }
    with Run.create(directory or Run.default_directory(recipe.name, seed), configuration) as run:
        return _run(run, recipe, view)


def resume(directory: Path, *, view: View) -> Result:
    """Continue a run from where it was stopped or killed; a finished run returns its result again.

    Raises:
        Interrupted: After Ctrl-C; the run can be resumed again.
        RunError: If the directory is no run, is in use, or its recipe means something else in this version.
    """
    with Run.open(directory) as run:
        recipe = find_recipe(run.config["recipe"], run.config["settings"])
        if describe(recipe) != run.config["parts"]:
            raise RunError(
                f"{directory} was made with other values of the recipe {recipe.name!r} than this version has; "
                "continuing would mix two experiments. Use the version that made it, or begin a new run."
            )
        return _run(run, recipe, view)


def _run(run: Run, recipe: Recipe, view: View) -> Result:
    """Begin or continue `run` at its latest checkpoint and go on to the end."""
    try:
        latest = run.latest_checkpoint()
        if latest is None:
            session, state = _begin(run, recipe, view)
        else:
            session, state = _restore(run, recipe, view, *latest)
        return session.go_on(state)
    except KeyboardInterrupt:
        raise Interrupted(run.directory) from None


def _begin(run: Run, recipe: Recipe, view: View) -> tuple["_Session", LoopState]:
    config = run.config
    state = LoopState(objective_from_json(config["objective"]))
    view.phase(Phase.BIRTH, config["policy"])
    began = time.perf_counter()
    agent = load_agent(
        config["policy"], sampling=recipe.acquire.sampling, trainable=True, seed=config["seed"], progress=view.progress
    )
    state.birth_seconds = time.perf_counter() - began
    session = _Session(run, recipe, agent, view)
    session.checkpoint(state)
    return session, state


def _restore(run: Run, recipe: Recipe, view: View, step: int, checkpoint: Path) -> tuple["_Session", LoopState]:
    view.phase(Phase.BIRTH, f"restoring step {step}")
    agent = load_agent(f"local:{quote(str(checkpoint))}", sampling=recipe.acquire.sampling, trainable=True)
    session = _Session(run, recipe, agent, view)
    session.updater.load(checkpoint)
    state = LoopState.from_json(json.loads((checkpoint / "loop.json").read_text()))
    session.policy.version = state.version
    run.begin_from(step)
    return session, state


class _Session:
    """One process's work on a run."""

    def __init__(self, run: Run, recipe: Recipe, agent: Agent, view: View) -> None:
        if not isinstance(agent.policy, LocalPolicy):
            raise UsageError(f"{agent.name} has no weights that could be trained here; use local: or nursery:.")
        self.run, self.recipe, self.view, self.policy = run, recipe, view, agent.policy
        self.policy.name = run.config["policy"]
        self.yard = Yard(Rollout(agent), run.config["seed"])
        self.updater: Updater = recipe.update.start(
            self.policy,
            seed=run.config["seed"],
            planned_steps=recipe.steps,
            scratch=run.directory / "scratch",
            sampling=recipe.acquire.sampling,
            report_to=run.config["report_to"],
        )

    def go_on(self, state: LoopState) -> Result:
        """Turn the loop from where `state` stands to the end."""
        if not state.history:
            self.evaluate(state)
        while state.step < self.recipe.steps:
            self.turn(state)
        return self.finish(state)

    def turn(self, state: LoopState) -> None:
        """Go once through the phases and commit."""
        step, clock = state.step + 1, _Clock(self.view)
        with clock(Phase.ACQUIRE):
            acquired = self.acquire(state.objective.env, step)
        with clock(Phase.REFINE):
            refined, counts = self.refine(acquired)
        with clock(Phase.UPDATE):
            before = self.policy.version
            metrics = self.updater.step(refined) if refined else {}
        groups = by_group(acquired).values()
        metrics[UNIFORM_GROUPS] = sum(not is_informative(group) for group in groups) / max(1, len(groups))
        state.count(acquired, refined, clock.total, self.policy.version)
        self.run.record_lineage(
            step,
            {
                "objective": state.objective.env,
                "experience": _shard(step),
                "refined": counts,
                "learned_from": [episode.id for episode in refined],
                "version_before": before,
                "version_after": self.policy.version,
                "last_evaluation": state.history[-1].step,
            },
        )
        self.report(_record(step, self.recipe.steps, acquired, refined, clock.seconds, metrics))
        if step % self.recipe.evaluate_every == 0 or step == self.recipe.steps:
            state.objective = state.objective.next(self.evaluate(state))
        if step % self.recipe.checkpoint_every == 0 or step == self.recipe.steps:
            self.checkpoint(state)

    def acquire(self, env: str, step: int) -> list[Episode]:
        """Return the step's episodes: recorded ones if the run has them, else new ones, recorded."""
        if _shard(step) not in self.run.experience:
            acquired = self.recipe.acquire(self.yard, env, step)
            self.run.experience.write(
                _shard(step), acquired, {"step": step, "env": env, "version": self.policy.version}
            )
            return acquired
        return self.run.experience.read(_shard(step))

    def refine(self, acquired: Sequence[Episode]) -> tuple[list[Episode], dict[str, int]]:
        """Return what is worth learning from, and how many episodes were left after each filter."""
        refined = [episode for episode in acquired if episode.valid]
        counts = {"acquired": len(acquired), "valid": len(refined)}
        for part in self.recipe.refine:
            refined = part(refined)
            counts[type(part).__name__] = len(refined)
        refuse_held_out(refined)
        return refined, counts

    def evaluate(self, state: LoopState) -> Evaluation:
        """Measure the present weights on held-out tasks of every environment of the objective."""
        clock, shard = _Clock(self.view), _shard(state.step)
        with clock(Phase.EVALUATE):
            store, seed = self.run.evaluations, self.yard.seed
            if shard not in store:
                began = time.perf_counter()
                played = [self.recipe.evaluate.play(self.yard.rollout, env, seed) for env in state.objective.evaluated]
                episodes = [episode for one_env in played for episode in one_env]
                store.write(shard, episodes, {"step": state.step, "seconds": time.perf_counter() - began})
            episodes = store.read(shard)
            scores = tuple(summarise(env, episodes, 0.0) for env in state.objective.evaluated)
        evaluation = Evaluation(state.step, self.policy.version, scores)
        state.history.append(evaluation)
        state.seconds += clock.total
        for score in scores:
            values = {"accuracy": score.accuracy.value, "low": score.accuracy.low, "high": score.accuracy.high}
            self.run.log(state.step, f"evaluate/{score.env}", values | {"reward": score.mean_reward})
        self.view.evaluated(evaluation)
        return evaluation

    def report(self, record: StepRecord) -> None:
        """Log a committed step and tell whoever watches."""
        values = {"reward": record.reward, "correct": record.correct, "acquired": record.acquired, "used": record.used}
        times = {f"seconds/{phase}": seconds for phase, seconds in record.seconds.items()}
        rest = {"invalid": record.invalid, "tokens": record.tokens} | times
        self.run.log(record.step, "train", values | rest | {f"update/{k}": v for k, v in record.metrics.items()})
        self.view.stepped(record)

    def checkpoint(self, state: LoopState) -> None:
        """Commit everything that the rest of the run depends on."""

        def write(directory: Path) -> None:
            self.policy.save(directory)
            self.updater.save(directory)
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
    refined: Sequence[Episode],
    seconds: dict[Phase, float],
    metrics: Mapping[str, float],
) -> StepRecord:
    valid = [episode for episode in acquired if episode.valid]
    count = max(1, len(valid))
    return StepRecord(
        step=step,
        steps=steps,
        reward=sum(episode.reward for episode in valid) / count,
        correct=sum(episode.correct for episode in valid) / count,
        acquired=len(acquired),
        used=len(refined),
        invalid=len(acquired) - len(valid),
        tokens=sum(episode.tokens for episode in acquired),
        seconds=seconds,
        metrics=metrics,
    )
