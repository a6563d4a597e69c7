"""Acquisition, refinement, evaluation, objective and recipe: the decisions between the models."""

from dataclasses import replace

import numpy as np
import pytest
from palaestra.agents.agent import Acting, Move
from palaestra.agents.episode import Episode, Turn
from palaestra.agents.policy import Sampling
from palaestra.agents.rollout import Rollout
from palaestra.envs.errors import ContractError, InfrastructureError, UnknownNameError, UsageError
from palaestra.envs.task import HELD_OUT_SHARE, Task, TaskSet
from palaestra.envs.text_env import Info, TextEnv
from palaestra.envs.verdict import Status, Verdict
from palaestra.evolution.acquisition.groups import SampleGroups
from palaestra.evolution.evaluation.held_out import HeldOut, summarise
from palaestra.evolution.evaluation.record import Estimate, Evaluation, Score
from palaestra.evolution.objective import Objective
from palaestra.evolution.recipe import configure
from palaestra.evolution.recipes import find_recipe, recipes
from palaestra.evolution.refinement.filters import CapPerTask, KeepCorrect, KeepDistinct
from palaestra.evolution.refinement.groups import KeepInformativeGroups, by_group, is_informative
from palaestra.evolution.state import LoopState
from palaestra.evolution.updating.in_context.update import InContext
from palaestra.evolution.updating.unchanged import Unchanged
from palaestra.evolution.yard import Yard, refuse_held_out

TASKS = TaskSet([Task(f"t{i}", f"task {i}", i) for i in range(200)])


class Coin(TextEnv):
    """Pays 1 for heads; tasks whose number is even are always won, and the share `broken` fails."""

    def __init__(self, broken: float = 0.0) -> None:
        super().__init__(TASKS)
        self.broken = broken

    def begin(self, task: Task) -> str:
        return task.prompt

    def step(self, action: str) -> tuple[str, float, bool, bool, Info]:
        if self.np_random.random() < self.broken:
            raise OSError("the coin rolled away")
        won = int(self.task.reference) % 2 == 0 or self.np_random.random() < 0.5
        verdict = Verdict(float(won), Status.CORRECT if won else Status.WRONG)
        return "", verdict.reward, True, False, self.outcome(verdict)


class Thrower:
    name, policy = "thrower", None

    def with_sampling(self, sampling: Sampling) -> "Thrower":
        return self

    def enter(self, env: TextEnv, task: Task, seed: int) -> "Thrower":
        return self

    def act(self, observation: str) -> Acting:
        return Move("throw", "throw")
        yield


def yard(broken: float = 0.0, seed: int = 0) -> Yard:
    return Yard(Rollout(Thrower(), make=lambda _: Coin(broken)), seed)


def episode(
    name: str, reward: float, *, group: str = "g", task: str = "t", reply: str = "", valid: bool = True
) -> Episode:
    status = (Status.CORRECT if reward == 1 else Status.WRONG) if valid else Status.INFRASTRUCTURE
    verdict = Verdict(reward if valid else 0.0, status)
    return Episode(name, "coin", task, f"{task:0<32}", group, 0, 0, "p", (Turn("", reply, reply, reward),), verdict)


def test_refilling_goes_on_until_enough_groups_teach() -> None:
    plain = SampleGroups(groups=10, attempts=6)(yard(), "coin", 1)
    assert len(plain) == 60
    refilled = SampleGroups(groups=10, attempts=6, rounds=9)(yard(), "coin", 1)
    teaching = [group for group in by_group(refilled).values() if is_informative(group)]
    assert len(teaching) >= 10 > sum(is_informative(group) for group in by_group(plain).values())
    assert [e.digest() for e in refilled[:60]] == [e.digest() for e in plain]
    assert len({e.id for e in refilled}) == len(refilled)


def test_a_step_depends_on_seed_and_step_alone() -> None:
    acquire = SampleGroups(groups=4, attempts=3)
    one, other = yard(), yard()
    acquire(other, "coin", 6)
    assert [e.digest() for e in acquire(one, "coin", 7)] == [e.digest() for e in acquire(other, "coin", 7)]
    assert [e.seed for e in acquire(one, "coin", 7)] != [e.seed for e in acquire(yard(seed=1), "coin", 7)]


def test_nothing_is_acquired_from_held_out_tasks() -> None:
    played = SampleGroups(groups=150, attempts=2)(yard(), "coin", 1)
    refuse_held_out(played)
    held_out = next(task for task in TASKS if task.held_out(HELD_OUT_SHARE))
    with pytest.raises(ContractError, match="held-out task"):
        refuse_held_out([*played, replace(played[0], fingerprint=held_out.fingerprint)])


def test_a_failure_teaches_nothing_and_total_failure_stops() -> None:
    played = SampleGroups(groups=20, attempts=4)(yard(broken=0.5), "coin", 1)
    assert 10 < sum(not e.valid for e in played) < 70
    with pytest.raises(InfrastructureError, match="the coin rolled away"):
        SampleGroups(groups=5, attempts=4)(yard(broken=1.0), "coin", 1)
    # A failure beside a win is no difference in reward.
    assert not is_informative([episode("a", 1.0), episode("b", 0.0, valid=False)])
    assert is_informative([episode("a", 1.0), episode("b", 0.0)])


def test_filters_keep_what_they_say() -> None:
    a, b = episode("a", 1.0, task="x", reply="5"), episode("b", 0.0, task="x", reply="6")
    c, d = episode("c", 1.0, task="x", reply="5"), episode("d", 1.0, task="y", reply="5")
    e = episode("e", 1.0, task="x", reply="five")
    assert KeepCorrect()([a, b, c, d, e]) == [a, c, d, e]
    assert KeepDistinct()([a, b, c, d, e]) == [a, b, d, e]
    assert CapPerTask(2)([a, b, c, d, e]) == [a, b, d]
    groups = [episode(f"{g}{i}", float(i and g != "u"), group=g) for g in "ugh" for i in range(2)]
    assert [e.group for e in KeepInformativeGroups()(groups)] == ["g", "g", "h", "h"]


def test_evaluation_plays_the_same_held_out_tasks_and_leaves_failures_out() -> None:
    held_out, rollout = HeldOut(tasks=12, attempts=8), yard().rollout
    score, played = held_out.score(rollout, "coin", seed=3), held_out.sample(rollout, "coin", seed=3)
    assert replace(score, seconds=0.0) == summarise("coin", played, 0.0)
    assert all(TASKS.by_id(e.task).held_out(HELD_OUT_SHARE) for e in played)
    assert score.tasks == 12
    assert list(score.pass_at_k) == [1, 2, 4, 8]
    assert score.pass_at_k[1].value < score.pass_at_k[8].value <= 1.0
    greedy = [e for e in played if e.group == "greedy"]
    broken = [replace(greedy[0], verdict=Verdict(0.0, Status.INFRASTRUCTURE)), *greedy[1:]]
    mended = summarise("coin", broken, 1.0)
    assert (mended.tasks, mended.invalid) == (11, 1)
    assert mended.accuracy.value == pytest.approx(np.mean([e.correct for e in greedy[1:]]))


def evaluation(env: str, low: float) -> Evaluation:
    return Evaluation(1, 1, (Score(env, 100, Estimate(low, low, 1.0), {}, low, {}, 0, 0, 0.0),))


def test_the_next_objective_is_the_next_rung_once_one_is_mastered() -> None:
    first = Objective("sums", ("one", "two"), watched=("zero",))
    assert first.next(evaluation("one", 0.90)) == first
    second = first.next(evaluation("one", 0.96))
    assert second.env == "two"
    assert second.evaluated == ("two", "one", "zero")
    assert second.next(evaluation("two", 0.99)) == second
    with pytest.raises(UsageError, match="not on its ladder"):
        Objective("sums", ("one",), rung=1)


def test_the_state_survives_as_json() -> None:
    state = LoopState(Objective("sums", ("one", "two"), rung=1), step=3, history=[evaluation("two", 0.5)])
    assert LoopState.from_json(state.as_json()) == state


def test_options_are_set_by_path() -> None:
    recipe = find_recipe("rft", {"acquire.sampling.temperature": 1, "refine.2.limit": 7, "steps": 3})
    assert recipe.acquire.sampling.temperature == 1.0
    assert recipe.refine == (KeepCorrect(), KeepDistinct(), CapPerTask(7))
    for path, message in (("update.learning_rat", "update.learning_rate"), ("refine.3.limit", "Known: 0, 1, 2")):
        with pytest.raises(UnknownNameError, match=message):
            configure(recipe, {path: 1})
    with pytest.raises(UnknownNameError, match=r"value of update.loss 'dappo'. Did you mean 'dapo'"):
        find_recipe("grpo", {"update.loss": "dappo"})
    with pytest.raises(UsageError, match="steps must be int"):
        configure(recipe, {"steps": "many"})
    with pytest.raises(UsageError, match=r"sampling\.stop must be list"):
        configure(recipe, {"acquire.sampling.stop": "END"})
    assert configure(recipe, {"acquire.sampling.stop": ["END", "\n"]}).acquire.sampling.stop == ("END", "\n")
    with pytest.raises(UsageError, match="options of its own"):
        configure(recipe, {"acquire.sampling": 3})


@pytest.mark.parametrize("card", recipes(), ids=lambda card: card.name)
def test_every_recipe_is_built_under_its_name(card: object) -> None:
    recipe = find_recipe(card.name)
    assert recipe.name == card.name
    assert isinstance(recipe.update, InContext | Unchanged) or callable(recipe.update.start)
