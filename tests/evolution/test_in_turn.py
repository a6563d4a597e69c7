"""Stages in one run: whose turn it is, what one hands to the next, and that a run in any of them resumes exactly."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from palaestra.agents.policy import Sampling
from palaestra.envs.errors import UsageError
from palaestra.envs.seeding import derive_generator
from palaestra.evolution.acquisition.groups import SampleGroups
from palaestra.evolution.acquisition.in_turn import AcquireInTurn
from palaestra.evolution.acquisition.replay import Grow, Replay
from palaestra.evolution.evaluation.held_out import HeldOut
from palaestra.evolution.evolve import evolve
from palaestra.evolution.objective import Objective
from palaestra.evolution.recipe import Recipe
from palaestra.evolution.recipes import find_recipe
from palaestra.evolution.report.live import LiveView
from palaestra.evolution.run import Run
from palaestra.evolution.turns import check_turns, turn_at
from palaestra.evolution.updating.finetune import Finetune
from palaestra.evolution.updating.in_turn import UpdateInTurn
from palaestra.evolution.updating.ppo import Ppo
from palaestra.evolution.updating.reward_model import RewardModel
from palaestra.evolution.updating.updater import Beginning
from rich.console import Console
from tiny import largest_difference, sampled_batch, tiny_policy

METHOD = UpdateInTurn(
    (2, 2, 3),
    (Finetune(start_from="last", learning_rate=1e-3), RewardModel(learning_rate=3e-3), Ppo(learning_rate=1e-2)),
)


@pytest.fixture
def start(tmp_path):
    def starter(policy, seed=0):
        return METHOD.start(policy, Beginning(seed, 7, Sampling(), tmp_path))

    return starter


def batches():
    return [sampled_batch(tiny_policy(), derive_generator(0, "turns", i), groups=3) for i in range(7)]


def test_turns_are_counted_from_one_and_the_last_goes_on():
    assert [turn_at((2, 1, 3), step) for step in range(1, 9)] == [0, 0, 1, 2, 2, 2, 2, 2]
    assert turn_at((5,), 1) == turn_at((5,), 99) == 0
    for steps, parts in (((1, 2), 1), ((0, 2), 2), ((), 0)):
        with pytest.raises(UsageError, match="at least 1 step"):
            check_turns(steps, parts)


def test_what_takes_up_earlier_steps_is_no_part_of_another_first_phase():
    grown = Grow(SampleGroups())
    for within in (lambda: AcquireInTurn((1, 2), (SampleGroups(), grown)), lambda: Replay(grown), lambda: Grow(grown)):
        with pytest.raises(UsageError, match="Grow takes up what earlier steps of the run acquired"):
            within()


def test_a_stage_goes_on_from_the_one_before_and_learns_from_its_judgement(start):
    policy = tiny_policy()
    updater, played = start(policy), batches()
    figures = [updater.step(batch) for batch in played[:4]]
    assert [f["stage"] for f in figures] == [0.0, 0.0, 1.0, 1.0]
    tuned = policy.weights
    assert largest_difference(tuned, tiny_policy().weights) > 0.0
    judge = updater._updater
    found = updater.step(played[4])
    judged = judge.reward(played[4])
    assert found["judge_reward"] == pytest.approx(np.mean([e.reward for e in judged]))
    assert found["true_reward"] == pytest.approx(np.mean([e.reward for e in played[4]]))
    assert found["reward"] == pytest.approx(found["judge_reward"])
    assert 0.0 <= found["judge_agreement"] <= 1.0
    # The reference of the third stage is the policy as the first left it: the second does not change it.
    assert largest_difference(updater._updater._reference.tensors, tuned) == 0.0
    assert policy.version == 5


@pytest.mark.parametrize("stop", range(1, 7))
def test_a_run_stopped_anywhere_goes_on_bit_for_bit(stop, start, tmp_path):
    straight, first, played = tiny_policy(attention_dropout=0.2), tiny_policy(attention_dropout=0.2), batches()
    updater = start(straight)
    figures = [updater.step(batch) for batch in played]
    updater = start(first)
    for batch in played[:stop]:
        updater.step(batch)
    updater.save(tmp_path / "saved")
    second = tiny_policy(seed=5, attention_dropout=0.2)
    second.model.load_state_dict(first.model.state_dict())
    updater = start(second)
    updater.load(tmp_path / "saved")
    torch.rand(3)  # whatever the rest of the world draws
    again = [updater.step(batch) for batch in played[stop:]]
    assert largest_difference(straight.weights, second.weights) == 0.0
    clean = [{k: v for k, v in f.items() if k != "seconds"} for f in (*figures[stop:], *again)]
    assert clean[: len(again)] == clean[len(again) :]


def test_a_recipe_of_stages_is_set_by_path_and_stages_must_begin_together(tmp_path):
    settings = {"update.parts.2.kl": 0.0, "update.parts.1.noise": 0.2, "acquire.steps": [1, 1, 1]}
    recipe = find_recipe("rlhf", settings)
    assert (recipe.update.parts[2].kl, recipe.update.parts[1].noise) == (0.0, 0.2)
    with pytest.raises(UsageError, match="must begin together"):
        evolve(
            recipe,
            objective=Objective("any", ("palaestra/Arithmetic-v0",)),
            policy="nursery:arithmetic",
            seed=0,
            directory=tmp_path / "run",
            view=LiveView(Console(quiet=True)),
        )


def test_what_is_saved_says_where_the_run_stands(start, tmp_path):
    updater = start(tiny_policy())
    for batch in batches()[:5]:
        updater.step(batch)
    updater.save(tmp_path / "saved")
    assert json.loads((tmp_path / "saved" / "in_turn.json").read_text()) == {"steps": 5, "stage": 2, "judge": 1}


@dataclass(frozen=True)
class _NothingBefore:
    first: int

    def at(self, yard, step):
        return self if step >= self.first else lambda episodes: []

    def __call__(self, episodes):
        return list(episodes)


def test_a_step_of_a_run_that_leaves_nothing_to_learn_is_a_step_of_its_stage(beginner, tmp_path):
    sample = SampleGroups(groups=2, attempts=2, sampling=Sampling(max_tokens=4))
    recipe = Recipe(
        name="stages",
        acquire=AcquireInTurn((2, 2), (sample, sample)),
        refine=(_NothingBefore(3),),
        update=UpdateInTurn((2, 2), (Finetune(start_from="last"), Finetune(start_from="last"))),
        evaluate=HeldOut(tasks=2, sampling=Sampling(max_tokens=4)),
        steps=4,
        evaluate_every=4,
        checkpoint_every=4,
    )
    evolve(
        recipe,
        objective=Objective("arithmetic?digits=1", ("arithmetic?digits=1",)),
        policy=f"local:{beginner}",
        seed=0,
        directory=tmp_path / "run",
        view=LiveView(Console(quiet=True)),
    )
    with Run.open(tmp_path / "run", read_only=True) as run:
        rows = [row for row in run.metrics.rows() if row["phase"] == "train"]
    assert [row.get("update/stage") for row in rows] == [None, None, 1.0, 1.0]
