"""Run the arms of a miniature, or read those that ran already, and decide its claims.

Arms are ordinary runs, in `DIRECTORY/PROFILE/MINIATURE/seed-0/ARM`. One that is finished is read, one that was stopped
or killed is resumed, so that doing it all again goes on where it stood.
"""

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from palaestra.envs.errors import RunError
from palaestra.evolution.durable import Row, discard
from palaestra.evolution.evaluation.record import Estimate
from palaestra.evolution.evaluation.statistics import mean_over_runs, mean_over_tasks
from palaestra.evolution.evolve import evolve, resume
from palaestra.evolution.objective import Objective
from palaestra.evolution.recipe import describe
from palaestra.evolution.recipes import find_recipe
from palaestra.evolution.reproduction.lived import Lived, read_lived
from palaestra.evolution.reproduction.miniature import Arm, Claim, Miniature, Profile
from palaestra.evolution.run import Run
from palaestra.evolution.view import View

__all__ = ["Finding", "Reproduction", "decide", "reproduce"]

Watching = Callable[[str], AbstractContextManager[View]]
"""Makes who watches a run, from its title."""

# What is there when a run was killed before it had said what it is.
_UNBEGUN = {"lock", ".run.json.tmp"}


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of a claim.

    Attributes:
        claim: Its words.
        inequality: What had to hold, as text.
        figures: The figure of each seed.
        estimate: Their mean and its 95 % t interval over seeds.
        over_tasks: The mean over the held-out tasks of all seeds with its 95 % bootstrap interval, where the figure is
            such a mean. It says nothing of other seeds.
        holds: Whether the lower bound over seeds lies above what was claimed.
    """

    claim: str
    inequality: str
    figures: tuple[float, ...]
    estimate: Estimate
    over_tasks: Estimate | None
    holds: bool


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What a miniature found.

    Attributes:
        name: Of the miniature.
        profile: How large its runs were.
        seeds: Of its runs.
        findings: One a claim.
        seconds: Wall-clock of evolving, over all arms and seeds.
        birth_seconds: Wall-clock of births; of a policy that was in the cache there is none.
        command: What does it again.
        arms: For each run what it was, and its accuracy before and after.
    """

    name: str
    profile: Profile
    seeds: int
    findings: tuple[Finding, ...]
    seconds: float
    birth_seconds: float
    command: str
    arms: tuple[Row, ...]

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"miniature": self.name} | {k: v for k, v in asdict(self).items() if k != "name"}


def reproduce(
    miniature: Miniature, directory: Path, profile: Profile, watching: Watching, seeds: int | None = None
) -> Reproduction:
    """Run what is left of a miniature's arms and decide its claims.

    Args:
        miniature: What is claimed.
        directory: Where the runs lie, or shall lie.
        profile: How large they are.
        watching: Who watches each.
        seeds: How many, at least 2; None takes the miniature's own number.

    Raises:
        Interrupted: After Ctrl-C; the same call goes on.
        RunError: If a place holds another experiment.
    """
    count, rows, of_seeds = seeds or miniature.seeds, list[Row](), list[dict[str, Lived]]()
    for seed in range(count):
        ended, shown = dict[str, str](), {arm.name: f"seed-{seed}/{arm.name}" for arm in miniature.arms}
        lived: dict[str, Lived] = {}
        for arm in miniature.arms:
            place = directory / profile / miniature.name / f"seed-{seed}" / arm.name
            policy = arm.learner(profile, ended)
            with watching(f"{miniature.name} · {arm.name} · seed {seed}") as view:
                _finish(arm, profile, policy, seed, place, view)
            ended[arm.name], lived[arm.name] = str(place.resolve()), read_lived(place)
            # What is kept names no place of this machine.
            rows.append(_row(arm, profile, arm.learner(profile, shown), seed, lived[arm.name]))
        of_seeds.append(lived)
    words = ["palaestra", "reproduce", miniature.name]
    words += ["--quick"] * (profile is Profile.QUICK) + ["--seeds", str(count)] * (count != miniature.seeds)
    return Reproduction(
        miniature.name,
        profile,
        count,
        tuple(decide(claim, of_seeds) for claim in miniature.claims),
        sum(arm.seconds for lived in of_seeds for arm in lived.values()),
        sum(arm.birth_seconds for lived in of_seeds for arm in lived.values()),
        shlex.join(words),
        tuple(rows),
    )


def decide(claim: Claim, of_seeds: Sequence[Mapping[str, Lived]]) -> Finding:
    """Decide a claim by the arms of each seed."""
    figures = tuple(claim.figure(lived) for lived in of_seeds)
    estimate = mean_over_runs(figures)
    tasks = [claim.figure.by_task(lived) for lived in of_seeds]
    pooled = [figure for one_seed in tasks if one_seed is not None for figure in one_seed.values()]
    over_tasks = mean_over_tasks(pooled, np.random.default_rng(0)) if all(tasks) else None
    return Finding(claim.words, str(claim), figures, estimate, over_tasks, estimate.low > claim.above)


def _finish(arm: Arm, profile: Profile, policy: str, seed: int, place: Path, view: View) -> None:
    """Bring the run of an arm to its end, from wherever it stands."""
    settings = arm.chosen(profile)
    recipe = find_recipe(arm.recipe, settings)
    if place.exists() and not (place / "run.json").exists() and {p.name for p in place.iterdir()} <= _UNBEGUN:
        discard(place)
    if not place.exists():
        evolve(
            recipe,
            objective=Objective(arm.env, (arm.env,), watched=arm.watch),
            policy=policy,
            seed=seed,
            directory=place,
            view=view,
            command=_command(arm, profile, policy, seed),
            settings=settings,
        )
        return
    with Run.open(place, read_only=True) as run:
        config, finished = run.config, run.finished
    wanted = {"recipe": recipe.name, "parts": describe(recipe), "seed": seed}
    if not arm.after:  # else it is the end of the run beside it, wherever both lie
        wanted["policy"] = policy
    other = [name for name, value in wanted.items() if config[name] != value]
    objective = config["objective"]
    if other or objective["ladder"] != [arm.env] or tuple(objective["watched"]) != arm.watch:
        raise RunError(
            f"{place} holds another experiment: it differs in {', '.join(other or ['env'])}. Remove it, or name "
            "another place by --out."
        )
    if not finished:
        resume(place, view=view)


def _command(arm: Arm, profile: Profile, policy: str, seed: int) -> list[str]:
    """Return the command line that makes the same run."""
    words = ["palaestra", "evolve", arm.recipe, "--env", arm.env, *(w for env in arm.watch for w in ("--watch", env))]
    words += ["--policy", policy, "--seed", str(seed)]
    return [*words, *(word for path, value in arm.chosen(profile).items() for word in ("--set", _setting(path, value)))]


def _setting(path: str, value: object) -> str:
    """Return a setting as TOML says it."""
    return f"{path}={_toml(value)}"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)  # as TOML writes a text, in one line
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_toml, value))}]"
    return str(value)


def _row(arm: Arm, profile: Profile, policy: str, seed: int, lived: Lived) -> Row:
    return {
        "arm": arm.name,
        "seed": seed,
        "command": shlex.join(_command(arm, profile, policy, seed)),
        "evaluations": [
            {"step": evaluation.step, "env": score.env, "measure": score.measure, "accuracy": asdict(score.accuracy)}
            | _further(score.figures)
            for evaluation in lived.evaluations
            for score in evaluation.scores
        ],
        "steps": len(lived.steps),
        "seconds": lived.seconds,
        "birth_seconds": lived.birth_seconds,
    }


def _further(figures: Mapping[str, float]) -> dict[str, object]:
    return {"figures": dict(figures)} if figures else {}
