"""Begin and continue runs."""

import json
import time
from collections.abc import Sequence
from pathlib import Path

from palaestra.agents.agent import Agent
from palaestra.agents.specs import checkpoint_spec, load_agent, refuse_untrainable
from palaestra.envs import catalogue
from palaestra.envs.arena.catalogue import is_arena, make_arena
from palaestra.envs.errors import PalaestraError, RunError, UsageError
from palaestra.evolution.acquisition.answered import Answered
from palaestra.evolution.acquisition.grow import GrowTasks
from palaestra.evolution.acquisition.in_turn import AcquireInTurn
from palaestra.evolution.acquisition.source import played_ahead
from palaestra.evolution.engine import check_engine
from palaestra.evolution.evaluation.auditing import check_auditor
from palaestra.evolution.executor import check_executor
from palaestra.evolution.learner import WeightLearner
from palaestra.evolution.loop import Loop
from palaestra.evolution.objective import Objective
from palaestra.evolution.recipe import Recipe, Requires, describe
from palaestra.evolution.recipes import find_recipe
from palaestra.evolution.recipes.own import own_recipe
from palaestra.evolution.result import Result
from palaestra.evolution.run import Run
from palaestra.evolution.state import LoopState, objective_from_json
from palaestra.evolution.together import begin_together, end_together, refuse_engine, take_part
from palaestra.evolution.updating.in_context.update import InContext
from palaestra.evolution.updating.in_turn import UpdateInTurn
from palaestra.evolution.updating.peers import Peers
from palaestra.evolution.updating.unchanged import Unchanged
from palaestra.evolution.updating.updater import RefusesPeers
from palaestra.evolution.view import Phase, View

__all__ = ["Interrupted", "evolve", "resume"]

# Updates that change no weights.
_WITHOUT_WEIGHTS = (InContext, Unchanged)


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
    staleness: int = 0,
    engine: str = "",
    executor: str = "",
    auditor: str = "",
    file: tuple[str, str] | None = None,
) -> Result:
    """Make a policy better by a recipe and return what came of it.

    Where a launcher started several processes, each calls this alike: the first does everything, the others take part
    in its updates, and all return its result. Only the first process's view is told anything.

    Args:
        recipe: One choice for each phase.
        objective: What to get better at, and where.
        policy: Spec of the policy; its weights are trained in place, the source is not changed.
        seed: Names all randomness of the run.
        directory: Where the run lies; None makes one under `runs/`.
        view: Who watches.
        command: The command line, for the record.
        settings: What was changed of the recipe that its name stands for; needed to resume.
        engine: Who samples, see `palaestra.evolution.engine`; nothing for the policy itself.
        executor: Where episodes are played, see `palaestra.evolution.executor`; nothing for this process.
        report_to: Trackers besides the run's own files, by the trainer's names, such as `"wandb"`.
        staleness: 0 plays and learns in turn. Above, experience is played while the policy learns, and none is learned
            from whose oldest token is more versions behind: 1 is one step off, more is fully asynchronous.
        auditor: An environment that judges again what is played and is never learned from, see
            `palaestra.evolution.evaluation.auditing`; nothing is none.
        file: Path and text of the file that the recipe was read from, where it is none of ours; needed to resume.

    Raises:
        Interrupted: After Ctrl-C; the run can be resumed.
        UsageError: If policy, environment and recipe do not fit.
        PeerError: If another process that trains with this one failed or has ended.
    """
    check_auditor(auditor, objective.evaluated)
    _check_heard(recipe, auditor)
    check_executor(executor, recipe.acquire, engine=engine)
    _check_turns(recipe)
    if isinstance(recipe.update, _WITHOUT_WEIGHTS):
        _check_untrained(recipe, staleness=staleness, engine=engine, executor=executor)
    else:
        refuse_untrainable(policy)  # before its spec is written anywhere
    _check_ladder(recipe, objective)
    for env in objective.ladder:
        recipe.acquire.require(env)
    for env in objective.evaluated:
        if isinstance(recipe.evaluate, Requires):
            recipe.evaluate.require(env)
    if staleness != 0:
        played_ahead(recipe.acquire, staleness)
    check_engine(engine)
    configuration = {
        "recipe": recipe.name,
        "settings": settings or {},
        "parts": describe(recipe),
        "objective": describe(objective),
        "task_sets": {env: _identity(env) for env in objective.evaluated},
        "policy": policy,
        "seed": seed,
        "command": list(command),
        "report_to": list(report_to),
        "staleness": staleness,
        "engine": engine,
        "executor": executor,
        "auditor": auditor,
        "file": None if file is None else {"path": file[0], "text": file[1]},
    }
    with Peers.join() as peers:
        refuse_engine(peers, engine)
        _refuse_peers(peers, recipe)
        if not peers.leads:
            return take_part(peers)
        with Run.create(directory or Run.default_directory(recipe.name, seed), configuration) as run:
            return _run(run, recipe, view, peers)


def _check_heard(recipe: Recipe, auditor: str) -> None:
    """Refuse an auditor where not every turn was said to the world: it would take drafts and votes for replies."""
    acquire = recipe.acquire
    parts = acquire.parts if isinstance(acquire, AcquireInTurn) else (acquire,)
    if auditor and any(isinstance(part, Answered) for part in parts):
        raise UsageError(
            f"{recipe.name!r} comes to its answers by drafts or votes, which the world does not hear, and --auditor "
            "judges each recorded turn as a reply to it. Leave it out."
        )


def _check_ladder(recipe: Recipe, objective: Objective) -> None:
    """Refuse several rungs where tasks are grown: the pool is that of one world."""
    if isinstance(recipe.acquire, GrowTasks) and len(objective.ladder) > 1:
        raise UsageError(
            f"{recipe.name!r} grows the tasks of one environment, and --env names {len(objective.ladder)}: "
            f"{', '.join(objective.ladder)}. Name one; measure the others by --watch."
        )


def _check_turns(recipe: Recipe) -> None:
    """Refuse stages of which acquisition and update would not begin at the same step."""
    acquire, update = recipe.acquire, recipe.update
    if not isinstance(acquire, AcquireInTurn) or not isinstance(update, UpdateInTurn):
        return
    if acquire.steps[:-1] != update.steps[:-1]:
        raise UsageError(
            f"The stages of {recipe.name!r} must begin together: acquire.steps is {list(acquire.steps)} and "
            f"update.steps {list(update.steps)}. Set both alike."
        )


def _check_untrained(recipe: Recipe, *, staleness: int, engine: str, executor: str) -> None:
    """Refuse what a recipe that changes no weights does not go with."""
    wanted = {"--staleness": staleness, "--engine": engine, "--executor": executor}
    for option, value in wanted.items():
        if value:
            raise UsageError(
                f"{recipe.name!r} changes no weights, so {option} {value} has nothing to keep up with. Leave it out; "
                "an engine is a policy of its own here: --policy vllm:PATH-or-id."
            )


def _refuse_peers(peers: Peers, recipe: Recipe) -> None:
    if peers.size > 1 and isinstance(recipe.update, _WITHOUT_WEIGHTS):
        raise UsageError(
            f"{recipe.name!r} changes no weights, and {peers.size} processes were launched to train some together. "
            "Leave accelerate launch out."
        )
    if isinstance(recipe.update, RefusesPeers):
        recipe.update.refuse_peers(peers)


def _identity(env: str) -> str:
    """Return what the tasks of an environment, or the rules of an arena, are known by."""
    return make_arena(env).title if is_arena(env) else catalogue.make(env).tasks.digest


def resume(directory: Path, *, view: View) -> Result:
    """Continue a run from where it was stopped or killed; a finished run returns its result again.

    Raises:
        Interrupted: After Ctrl-C; the run can be resumed again.
        RunError: If the directory is no run, is in use, or its recipe means something else in this version.
    """
    with Peers.join() as peers:
        return _resume(directory, view, peers) if peers.leads else take_part(peers)


def _resume(directory: Path, view: View, peers: Peers) -> Result:
    with Run.open(directory) as run:
        refuse_engine(peers, run.config.get("engine", ""))
        recipe = _recipe_of(run)
        _refuse_peers(peers, recipe)
        if describe(recipe) != run.config["parts"]:
            raise RunError(
                f"{directory} was made with other values of the recipe {recipe.name!r} than this version has; "
                "continuing would mix two experiments. Use the version that made it, or begin a new run."
            )
        if not run.finished:
            _check_tasks(run)
        return _run(run, recipe, view, peers)


def _check_tasks(run: Run) -> None:
    """Refuse worlds whose tasks are others than when the run began; runs of earlier versions do not say which."""
    for env, known in run.config.get("task_sets", {}).items():
        if (found := _identity(env)) != known:
            raise RunError(
                f"The tasks of {env} are not those that {run.directory} was begun with ({found}, it was {known}); "
                "continuing would mix two experiments. Restore what they are made of, such as the file they are read "
                "from, or begin a new run."
            )


def _recipe_of(run: Run) -> Recipe:
    """Return the recipe that a run was begun with; runs of earlier versions do not name a file."""
    config = run.config
    if file := config.get("file"):
        return own_recipe(file["text"], file["path"], config["settings"])
    return find_recipe(config["recipe"], config["settings"])


def _run(run: Run, recipe: Recipe, view: View, peers: Peers) -> Result:
    """Begin or continue `run` at its latest checkpoint and go on to the end."""
    try:
        latest = run.latest_checkpoint()
        if latest is None:
            loop, state = _begin(run, recipe, view, peers)
        else:
            loop, state = _restore(run, recipe, view, peers, *latest)
        if isinstance(loop.learner, WeightLearner):
            begin_together(peers, recipe, run.config["seed"], run.checkpoint(state.step), loop.learner.policy)
        result = loop.go_on(state)
        end_together(peers, result)
        return result
    except KeyboardInterrupt:
        raise Interrupted(run.directory) from None


def _begin(run: Run, recipe: Recipe, view: View, peers: Peers) -> tuple[Loop, LoopState]:
    config = run.config
    state = LoopState(objective_from_json(config["objective"]))
    view.phase(Phase.BIRTH, config["policy"])
    began = time.perf_counter()
    agent = _agent(config["policy"], run, recipe, view)
    state.birth_seconds = time.perf_counter() - began
    loop = Loop(run, recipe, agent, view, peers)
    loop.checkpoint(state)
    return loop, state


def _restore(run: Run, recipe: Recipe, view: View, peers: Peers, step: int, checkpoint: Path) -> tuple[Loop, LoopState]:
    view.phase(Phase.BIRTH, f"restoring step {step}")
    policy = run.config["policy"]
    stays = isinstance(recipe.update, _WITHOUT_WEIGHTS)  # the weights are those that it began with
    agent = _agent(policy if stays else checkpoint_spec(checkpoint, policy), run, recipe, view)
    loop = Loop(run, recipe, agent, view, peers)
    loop.yard.league.load(checkpoint)
    state = LoopState.from_json(json.loads((checkpoint / "loop.json").read_text()))
    loop.learner.load(checkpoint, state.version)
    run.begin_from(step)
    return loop, state


def _agent(spec: str, run: Run, recipe: Recipe, view: View) -> Agent:
    return load_agent(
        spec,
        sampling=recipe.acquire.sampling,
        trainable=not isinstance(recipe.update, _WITHOUT_WEIGHTS),
        seed=run.config["seed"],
        progress=view.progress,
    )
