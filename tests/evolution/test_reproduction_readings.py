"""What claims read of arms, with numbers worked by hand, and what all miniatures promise."""

import math
from itertools import pairwise

import pytest
from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.evolution.cli.configuration import parse_setting
from palaestra.evolution.evaluation.record import Estimate, Evaluation, Score
from palaestra.evolution.evaluation.statistics import mean_over_runs
from palaestra.evolution.objective import Objective
from palaestra.evolution.recipe import describe
from palaestra.evolution.recipes import find_recipe
from palaestra.evolution.reproduction.catalogue import find_miniatures, miniatures
from palaestra.evolution.reproduction.lived import Lived
from palaestra.evolution.reproduction.miniature import FEWEST_SEEDS, Arm, Claim, Miniature, Profile
from palaestra.evolution.reproduction.readings import (
    Fewer,
    Logged,
    Measured,
    Minus,
    Negative,
    OnlySolved,
    Recovered,
)
from palaestra.evolution.reproduction.reproduce import _command, decide


def score(accuracy: float, measure: str = "held-out accuracy", env: str = "e", **figures: float) -> Score:
    pass_at_k = {1: Estimate(accuracy / 2, 0, 1)}
    return Score(env, 4, Estimate(accuracy, 0, 1), pass_at_k, 0.0, {}, 0, 0, 0.0, measure, figures)


def lived(*solved: str, steps: tuple[dict[str, object], ...] = ()) -> Lived:
    """Evaluations of the same tasks, a letter each: x is solved; one every second step."""
    tasks = tuple({str(task): letter == "x" for task, letter in enumerate(word)} for word in solved)
    evaluations = tuple(
        Evaluation(2 * n, n, (score(word.count("x") / len(word), vote=n / 10), score(0.25, "share", "watched")))
        for n, word in enumerate(solved)
    )
    return Lived(evaluations, tasks, steps)


ARMS = {"one": lived("....", "x...", "xxx."), "two": lived("....", "xx..", "..x.")}


@pytest.mark.parametrize(
    ("reading", "figure"),
    [
        (Measured("one"), 0.75),
        (Measured("one", at=1), 0.25),
        (Measured("one", "pass@1"), 0.375),
        (Measured("one", "vote"), 0.2),
        (Measured("one", measure="share"), 0.25),
        (Measured("one", env="watched"), 0.25),
        (Negative(Measured("one")), -0.75),
        # From 0.25 to 0.75, of which the one arm at its second evaluation has closed nothing, and at its last all.
        (Recovered(Measured("two"), Measured("one", at=1), Measured("one")), 0.0),
        (Recovered(Measured("two"), Measured("one"), Measured("one")), 1.0),
        (Minus(Measured("one"), Measured("two")), 0.5),
        # The two solved the first two tasks on its way, and the third at the end.
        (OnlySolved("one", "two"), 0.0),
        (OnlySolved("two", "one"), 0.0),
    ],
)
def test_what_evaluations_measured(reading: object, figure: float) -> None:
    assert reading(ARMS) == pytest.approx(figure)


def test_what_is_not_there_is_no_figure() -> None:
    assert math.isnan(Measured("one", "pass@8")(ARMS))
    assert math.isnan(Measured("one", "other")(ARMS))
    assert math.isnan(Logged("one", "loss")(ARMS))
    assert math.isnan(Recovered(Measured("one"), Measured("two"), Measured("one"))(ARMS)), "there is no gap"
    with pytest.raises(UsageError, match="'held-out accuracy' in e, 'share' in watched"):
        Measured("one", measure="exploitability")(ARMS)
    with pytest.raises(UsageError, match="in elsewhere"):
        Measured("one", env="elsewhere")(ARMS)
    # Tasks are known of the environment that was learned in alone.
    assert Measured("one", env="e").by_task(ARMS) == Measured("one").by_task(ARMS) is not None
    assert Measured("one", env="watched").by_task(ARMS) is None
    assert Negative(Measured("one")).by_task(ARMS) == {"0": -1.0, "1": -1.0, "2": -1.0, "3": 0.0}


def test_tasks_that_one_alone_solves() -> None:
    arms = {"one": lived("....", "xx.x"), "two": lived("x...", "..x.")}
    assert OnlySolved("one", "two")(arms) == 0.5
    assert OnlySolved("one", "two").by_task(arms) == {"0": 0.0, "1": 1.0, "2": 0.0, "3": 1.0}


def test_what_steps_logged() -> None:
    rows = tuple({"step": n, "acquired": 10.0, "a": float(n), "update/stage": float(n > 3)} for n in range(1, 7))
    arms = {"one": lived("..", steps=(*rows, {"step": 7, "acquired": 10.0}))}
    assert Logged("one", "a", last=2)(arms) == 5.5
    assert Logged("one", "a", last=-2)(arms) == 1.5
    assert Logged("one", "a", last=-1, stage=1)(arms) == 4.0
    assert Logged("one", "a", last=99, stage=0)(arms) == 2.0


def test_episodes_saved_on_the_way_to_a_level() -> None:
    rows = tuple({"step": n, "acquired": 10.0 * n} for n in range(1, 5))
    arms = {
        "quick": lived("....", "xx..", "xxx.", steps=rows),
        "slow": lived("....", "x...", "xx..", steps=rows),
        "never": lived("....", "x...", "x...", steps=rows),
    }
    # At step 2 thirty episodes had been played, at step 4 a hundred.
    assert Fewer("quick", "slow", 0.5)(arms) == pytest.approx(0.7)
    assert Fewer("quick", "never", 0.5)(arms) == 1.0
    assert Fewer("never", "quick", 0.5)(arms) == -math.inf
    assert not decide(Claim("", Fewer("never", "quick", 0.5)), [arms, arms]).holds


def test_a_claim_is_decided_by_the_lower_bound_over_seeds() -> None:
    claim = Claim("one is better", Minus(Measured("one"), Measured("two")))
    seeds = [ARMS, {"one": lived("x.", "xx"), "two": lived("..", "x.")}, {"one": ARMS["one"], "two": lived("x...")}]
    found = decide(claim, seeds)
    assert found.figures == (0.5, 0.5, 0.5)
    assert (found.estimate, found.holds) == (Estimate(0.5, 0.5, 0.5), True)
    # Pooled over tasks of all seeds: 4 + 2 + 4 of them.
    assert found.over_tasks is not None
    assert found.over_tasks.value == pytest.approx(0.5)
    assert found.over_tasks.low < 0.5 < found.over_tasks.high
    mixed = decide(claim, [seeds[0], {"one": lived("...."), "two": lived("xx..")}])
    assert (mixed.estimate.value, mixed.holds) == (0.0, False)
    assert not decide(Claim("", claim.figure, above=0.5), seeds).holds
    assert not decide(claim, seeds[:1]).holds, "one seed shows nothing"


def test_the_interval_over_runs_is_students() -> None:
    # t of 2 degrees of freedom at 97.5 % is 4.302653, the deviation of 1, 2, 3 is 1.
    found = mean_over_runs([1, 2, 3])
    assert (found.low, found.high) == pytest.approx((2 - 4.302653 / 3**0.5, 2 + 4.302653 / 3**0.5))
    assert mean_over_runs([1.0]).low == -math.inf
    assert mean_over_runs([1.0, math.nan]).low == -math.inf


def test_a_miniature_names_its_arms_rightly() -> None:
    arm, claim = Arm("a", "grpo", "arithmetic", "nursery:arithmetic"), Claim("", Measured("a"))
    Miniature("m", ("grpo",), (arm,), (claim,))
    with pytest.raises(UsageError, match=r"\['b'\]"):
        Miniature("m", ("grpo",), (arm,), (Claim("", Measured("b")),))
    with pytest.raises(UsageError, match="twice, or before"):
        Miniature("m", ("grpo",), (Arm("b", "rft", "arithmetic", after="a"), arm), (claim,))
    with pytest.raises(UsageError, match="one of both"):
        Arm("b", "rft", "arithmetic", "nursery:arithmetic", after="a")
    assert arm.learner(Profile.FULL, {}) == "nursery:arithmetic"
    assert arm.learner(Profile.QUICK, {}) == "nursery:arithmetic?seed=0"
    assert Arm("b", "rft", "arithmetic", after="a").learner(Profile.FULL, {"a": "/x y"}) == "run:/x%20y"


def test_miniatures_are_found_by_name_and_recipe() -> None:
    assert [one.name for one in find_miniatures(["dapo", "grpo", "star"])] == [
        "star",
        "star-twice",
        "grpo-family",
        "grpo-clipped",
    ]
    assert find_miniatures([]) == miniatures()
    with pytest.raises(UnknownNameError, match="rest-em"):
        find_miniatures(["rest-me"])


def _words(arm: Arm, profile: Profile) -> list[str]:
    return _command(arm, profile, arm.learner(profile, dict.fromkeys(["sft", "start"], "x")), 0)


@pytest.mark.parametrize("one", miniatures(), ids=lambda one: one.name)
def test_every_miniature_can_begin(one: Miniature) -> None:
    assert one.seeds >= FEWEST_SEEDS
    assert {arm.recipe for arm in one.arms} & set(one.recipes)
    for arm in one.arms:
        for profile in Profile:
            recipe = find_recipe(arm.recipe, arm.chosen(profile))
            recipe.acquire.require(arm.env)
            evaluated = Objective("x", (arm.env,), watched=arm.watch).evaluated
            assert len(evaluated) == 1 + len(arm.watch)
            assert [word for before, word in pairwise(_words(arm, profile)) if before == "--watch"] == [*arm.watch]
            # The command line that is kept says the same.
            words = _words(arm, profile)
            said = dict(parse_setting(word) for before, word in pairwise(words) if before == "--set")
            assert describe(find_recipe(arm.recipe, said)) == describe(recipe)
