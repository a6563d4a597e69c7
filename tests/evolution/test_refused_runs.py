"""Runs that are refused before they begin or go on, and what is written of each filter."""

import json
from pathlib import Path

import pytest
from killed_runs import ENV, evolve, killed_after
from newborns import save_newborn
from palaestra.envs.errors import RunError, UsageError
from palaestra.evolution.evolve import evolve as begin
from palaestra.evolution.evolve import resume
from palaestra.evolution.objective import Objective
from palaestra.evolution.recipes import find_recipe
from palaestra.evolution.run import Run
from palaestra.evolution.view import Silent

TWICE = """
from palaestra.evolution.acquisition.groups import SampleGroups
from palaestra.evolution.evaluation.held_out import HeldOut
from palaestra.evolution.recipe import Recipe
from palaestra.evolution.refinement.likeness import KeepLength
from palaestra.evolution.updating.finetune import Finetune


def recipe():
    filters = (KeepLength(most=64), KeepLength(most=1))
    return Recipe("twice", SampleGroups(groups=8, attempts=2), filters, Finetune(), HeldOut(tasks=4), steps=2)
"""
SMALL = [
    part
    for setting in ("acquire.sampling.max_tokens=4", "evaluate.sampling.max_tokens=4", "checkpoint_every=1")
    for part in ("--set", setting)
]


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A policy of random weights."""
    return f"local:{save_newborn(tmp_path_factory.mktemp('policy'))}"


def test_no_auditor_where_turns_are_drafts_that_the_world_never_hears(tmp_path: Path) -> None:
    for name in ("self-refine", "self-consistency"):
        with pytest.raises(UsageError, match="by drafts or votes, which the world does not hear"):
            begin(
                find_recipe(name, {}),
                objective=Objective(ENV, (ENV,)),
                policy="scripted:oracle",
                seed=0,
                directory=tmp_path / "run",
                view=Silent(),
                auditor="palaestra/Arithmetic-v0?digits=1&tries=2",
            )
    assert not (tmp_path / "run").exists()


def test_tasks_are_grown_in_one_world(tmp_path: Path, policy: str) -> None:
    ladder = (ENV, "palaestra/Arithmetic-v0?digits=2")
    with pytest.raises(UsageError, match="grows the tasks of one environment, and --env names 2"):
        begin(
            find_recipe("self-instruct", {}),
            objective=Objective(ENV, ladder),
            policy=policy,
            seed=0,
            directory=tmp_path / "run",
            view=Silent(),
        )
    assert not (tmp_path / "run").exists()


def test_a_run_does_not_go_on_with_other_tasks(tmp_path: Path, policy: str, capfd: object) -> None:
    path = tmp_path / "tasks.jsonl"
    rows = [{"question": f"{n} + 1 = ?", "answer": str(n + 1)} for n in range(90)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    mine = tmp_path / "twice.py"
    mine.write_text(TWICE)
    env = f"palaestra/Question-v0?path={path}"
    evolve(mine, "--policy", policy, "--env", env, "--run", tmp_path / "run", *SMALL)
    whole = path.read_text()
    path.write_text("".join(json.dumps(row) + "\n" for row in rows[5:]))
    assert resume(tmp_path / "run", view=Silent()).steps == 2, "of a finished run nothing is played any more"
    killed_after(tmp_path / "run", 1)
    with pytest.raises(RunError, match=r"are not those that .* was begun with"):
        resume(tmp_path / "run", view=Silent())
    path.write_text(whole)
    assert resume(tmp_path / "run", view=Silent()).steps == 2


def test_two_filters_of_a_kind_are_counted_each(tmp_path: Path, policy: str, capfd: object) -> None:
    mine = tmp_path / "twice.py"
    mine.write_text(TWICE)
    evolve(mine, "--policy", policy, "--env", ENV, "--run", tmp_path / "run", *SMALL)
    with Run.open(tmp_path / "run", read_only=True) as run:
        counts = run.lineage()[0]["refined"]
    assert list(counts) == ["acquired", "recalled", "valid", "KeepLength", "KeepLength 2"]
    assert counts["valid"] >= counts["KeepLength"] > counts["KeepLength 2"]
