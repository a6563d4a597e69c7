"""Accuracy by position, with numbers worked by hand, and the recipe that measures it."""

import pytest
from palaestra.agents.episode import Episode, Turn
from palaestra.agents.rollout import Rollout
from palaestra.agents.specs import load_agent
from palaestra.envs import make
from palaestra.envs.task import TaskSet
from palaestra.envs.verdict import Status, Verdict
from palaestra.evolution.evaluation.held_out import HeldOut
from palaestra.evolution.evaluation.positions import position_curve, position_figures
from palaestra.evolution.evaluation.statistics import wilson
from palaestra.evolution.recipes import find_recipe
from palaestra.evolution.yard import Yard


def test_the_curve_has_a_point_for_every_tenth_that_was_asked_about() -> None:
    found = position_curve([0.0, 0.05, 0.1, 0.99, 1.0, 0.55], [True, False, True, True, True, False])
    assert {name: value for name, value in found.items() if name.endswith("/10")} == {
        "position 1/10": 0.5,
        "position 2/10": 1.0,
        "position 6/10": 0.0,
        "position 10/10": 1.0,
    }
    # Wilson's interval of one of two, and of two of two: 1 / (1 + z² / 2) is 0.342.
    bounds = [found[f"position {tenth}/10 {side}"] for tenth in (1, 10) for side in ("low", "high")]
    assert bounds == pytest.approx([0.0945, 0.9055, 0.3424, 1.0], abs=1e-4)
    assert found["position gap"] == 1.0
    # Three of four at the ends, none of one in the middle.
    assert found["sag"] == 0.75
    ends, middle = wilson(3, 4), wilson(0, 1)
    low, high = 0.75 - ends.low, middle.high - 0.0
    assert found["sag low"] == pytest.approx(0.75 - (low**2 + high**2) ** 0.5)
    assert found["sag high"] == pytest.approx(0.75 + (ends.high - 0.75))


def test_newcombes_own_example() -> None:
    # Newcombe 1998, table II, method 10: 56 of 70 less 48 of 80 is 0.2000, from 0.0524 to 0.3339.
    positions = [0.0] * 70 + [0.5] * 80
    found = position_curve(positions, [i < 56 for i in range(70)] + [i < 48 for i in range(80)])
    assert found["sag"] == pytest.approx(0.2)
    assert (found["sag low"], found["sag high"]) == (pytest.approx(0.0524, abs=1e-4), pytest.approx(0.3339, abs=1e-4))


def test_without_middle_there_is_no_sag_and_without_tasks_no_curve() -> None:
    found = position_curve([0.0, 1.0], [True, False])
    assert {name: value for name, value in found.items() if not name.endswith((" low", " high"))} == {
        "position 1/10": 1.0,
        "position 10/10": 0.0,
        "position gap": 1.0,
    }
    assert "sag low" not in found
    assert position_curve([], []) == {}


SPEC = "reading?size=400&kinds=document"


class EndsOnly:
    """Knows every answer but those in the middle, and of short documents all."""

    name, policy = "ends only", None

    def with_sampling(self, sampling):
        return self

    def enter(self, env, task, seed):
        known = abs(task.metadata.get("position", 0.0) - 0.5) > 0.3
        return load_agent("scripted:oracle" if known else "scripted:constant?text=Nobody").enter(env, task, seed)


def test_one_who_reads_the_ends_alone_is_found_out() -> None:
    yard = Yard(Rollout(EndsOnly()), 0)
    score = HeldOut(also=("positions",)).play(yard, SPEC, 0)
    assert {value for name, value in score.figures.items() if name.endswith("/10")} == {0.0, 1.0}
    assert score.figures["sag"] == score.figures["position gap"] == 1.0
    assert score.figures["sag low"] > 0.5
    assert HeldOut(also=("positions",)).play(yard, f"{SPEC}&short=1", 0).figures == {}


def test_invalid_episodes_and_worlds_without_positions_do_not_count() -> None:
    yard, tasks = Yard(Rollout(EndsOnly()), 0), make(SPEC).tasks

    def episode(task: str, status: Status, env: str = SPEC) -> Episode:
        verdict = Verdict(float(status is Status.CORRECT), status)
        return Episode(task, env, task, "f", "g", 0, 0, "p", (Turn("", "", "", verdict.reward),), verdict)

    first, second = (next(t for t in tasks if t.metadata["position"] == end).id for end in (0.0, 1.0))
    played = [episode(first, Status.CORRECT), episode(second, Status.INFRASTRUCTURE)]
    one = wilson(1, 1)
    assert position_figures(yard, played) == {
        "position 1/10": 1.0,
        "position 1/10 low": one.low,
        "position 1/10 high": one.high,
        "position gap": 0.0,
    }
    assert position_figures(yard, [episode("1+1", Status.CORRECT, "arithmetic?level=1")]) == {}
    assert isinstance(tasks, TaskSet)


def test_the_recipe_measures_the_curve() -> None:
    recipe = find_recipe("in2")
    assert isinstance(recipe.evaluate, HeldOut)
    assert recipe.evaluate.also == ("positions",)
