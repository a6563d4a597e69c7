"""Runs that recall, choose by what they found, explain and judge resume as they would have gone on, bit for bit."""

from pathlib import Path

import pytest
from killed_runs import ENV, evolve, facts, killed_after
from palaestra.agents.nursery import Plan, born


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A policy of little skill."""
    cache, place = tmp_path_factory.mktemp("cache"), tmp_path_factory.mktemp("policy")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache))
        plan = Plan(able=0.02, practise_steps=1, settle_steps=20, hidden_size=32, intermediate_size=64)
        born(ENV, plan=plan).save(place)
    return place


def slow(recipe: str) -> object:
    return pytest.param(recipe, marks=pytest.mark.slow)


@pytest.mark.parametrize("recipe", ["star", "replay", *map(slow, ("rest", "math-ft", "lmsi", "curriculum"))])
def test_a_killed_run_goes_on_as_it_would_have(recipe: str, policy: Path, tmp_path: Path, capfd: object) -> None:
    inner = {"star": "sample.", "rest": "fresh.", "curriculum": "sample.", "replay": "fresh."}.get(recipe, "")
    options = {
        "steps": 5,
        "evaluate_every": 2,
        "checkpoint_every": 2,
        f"acquire.{inner}groups": 8,
        f"acquire.{inner}sampling.max_tokens": 12,
        "evaluate.tasks": 6,
        "evaluate.attempts": 2,
        "evaluate.sampling.max_tokens": 12,
    }
    settings = [part for key, value in options.items() for part in ("--set", f"{key}={value}")]
    evolve(recipe, "--policy", f"local:{policy}", "--env", ENV, "--run", tmp_path / "run", *settings)
    whole = facts(tmp_path / "run")
    assert len(whole[0]) == 5
    assert any("update/refined_correct" in row for row in whole[4])
    learned = {id_.partition("/")[0] for id_ in whole[2][3]["learned_from"]}
    assert ("s3" in learned) == (recipe == "replay"), "the fourth step learns from the third again"
    killed_after(tmp_path / "run", 2)
    evolve("--resume", tmp_path / "run")
    assert facts(tmp_path / "run") == whole
