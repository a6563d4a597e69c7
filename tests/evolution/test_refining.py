"""What filters keep, with numbers worked by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from palaestra.agents.episode import Episode, Turn
from palaestra.agents.rollout import Rollout
from palaestra.agents.scripted import OracleAgent
from palaestra.envs.errors import UsageError
from palaestra.envs.verdict import Status, Verdict
from palaestra.evolution.refinement.agreement import KeepMajority, majority
from palaestra.evolution.refinement.filters import CapPerTask, KeepCorrect
from palaestra.evolution.refinement.likeness import KeepDiverse, KeepFormatted, KeepLength, rouge_l
from palaestra.evolution.refinement.rewards import InTurn, KeepBest, KeepRewarded, KeepRising, Together
from palaestra.evolution.yard import Yard

YARD = Yard(Rollout(OracleAgent()), seed=0)


def episode(reply: str, reward: float = 1.0, *, task: str = "t", group: str = "g", tokens: int = 1) -> Episode:
    ids = np.zeros(tokens, np.int32)
    turn = Turn("", reply, reply, reward, reply_ids=ids, logprobs=np.zeros(tokens, np.float32))
    verdict = Verdict(reward, Status.CORRECT if reward == 1 else Status.PARTIAL)
    return Episode(reply, "palaestra/Arithmetic-v0", task, task, group, 0, 0, "p", (turn,), verdict)


def kept(part: object, episodes: list[Episode], step: int = 1) -> list[str]:
    return [e.turns[0].reply for e in (part.at(YARD, step) if hasattr(part, "at") else part)(episodes)]


def test_thresholds_rise_and_begin_again() -> None:
    some = [episode("a", 0.2), episode("b", 0.5), episode("c", 1.0), episode("d", 0.5)]
    assert kept(KeepRewarded(0.5), some) == ["b", "c", "d"]
    rising = KeepRising((0.0, 0.5, 1.0))
    assert [len(kept(rising, some, step)) for step in (1, 2, 3, 4, 5)] == [4, 3, 1, 4, 3]
    with pytest.raises(UsageError, match="do not fall"):
        KeepRising((0.5, 0.2))


def test_the_best_of_each_group() -> None:
    some = [episode("a", 0.2), episode("b", 0.5, group="h"), episode("c", 1.0), episode("d", 1.0), episode("e", 0.1)]
    assert kept(KeepBest(), some) == ["c", "b"]
    assert kept(KeepBest(2), some) == ["c", "d", "b"]
    with pytest.raises(UsageError, match="at least 1"):
        KeepBest(0)


def test_ways_in_turn_and_together() -> None:
    some = [episode("a", 0.2), episode("b", 1.0), episode("c", 1.0)]
    turns = InTurn(((KeepCorrect(), CapPerTask(1)), (KeepRising((0.1, 0.5)),)))
    # At step 2 it is the second way's turn, and of its own thresholds the second's.
    assert [kept(turns, some, step) for step in (1, 2, 3)] == [["b"], ["b", "c"], ["b"]]
    both = Together(((CapPerTask(1),), (KeepCorrect(), CapPerTask(1))))
    assert kept(both, some) == ["a", "b"]


def longest_common(one: list[int], other: list[int]) -> int:
    table = np.zeros((len(one) + 1, len(other) + 1), int)
    for i, a in enumerate(one):
        for j, b in enumerate(other):
            table[i + 1, j + 1] = table[i, j] + 1 if a == b else max(table[i, j + 1], table[i + 1, j])
    return int(table[-1, -1])


@given(st.lists(st.integers(0, 3), max_size=90), st.lists(st.integers(0, 3), min_size=1, max_size=90))
def test_likeness_is_that_of_the_table(one: list[int], other: list[int]) -> None:
    assert rouge_l(one, other) == 2 * longest_common(one, other) / (len(one) + len(other))
    assert rouge_l(one, other) == rouge_l(other, one)


def test_likeness_of_a_published_example() -> None:
    # Lin 2004, section 3: one candidate keeps three of four words in order, the other two.
    said = ["police", "killed", "the", "gunman"]
    assert rouge_l(said, ["police", "kill", "the", "gunman"]) == 0.75
    assert rouge_l(said, ["the", "gunman", "kill", "police"]) == 0.5
    assert rouge_l([], []) == 1.0


def test_what_is_nearly_the_same_is_left_out_task_by_task() -> None:
    first, near, far = "7 + 8 = 15 so 85", "7 + 8 = 15 then 85", "it is 85"
    some = [episode(first), episode(near), episode(far), episode(near, task="other")]
    # 6 of 7 words are shared: 2 * 6 / 14 = 0.857.
    assert kept(KeepDiverse(0.7), some) == [first, far, near]
    assert kept(KeepDiverse(0.86), some) == [first, near, far, near]


def test_length_and_form() -> None:
    some = [episode("<answer>5</answer>", tokens=3), episode("5", tokens=1), episode("say <answer>", tokens=9)]
    assert kept(KeepLength(2, 8), some) == ["<answer>5</answer>"]
    assert kept(KeepFormatted(r"^<answer>.*</answer>$"), some) == ["<answer>5</answer>"]
    for wrong in (lambda: KeepLength(3, 2), lambda: KeepFormatted("(")):
        with pytest.raises(UsageError):
            wrong()


def test_the_majority_needs_a_lead() -> None:
    assert majority(["5", "5", "6", None]) == "5"
    assert majority(["5", "6"]) is None
    assert majority([None, None]) is None
    # Three of six lead by two, a third of all.
    six = ["5", "5", "5", "6", None, "7"]
    assert majority(six, 1 / 3) == "5"
    assert majority(six, 0.34) is None


def test_members_of_the_majority_are_kept_right_or_wrong() -> None:
    some = [episode("so 5", 0.0), episode("5.0", 0.0), episode("6", 1.0), episode("none", 0.0)]
    tied = [episode("1", group="h"), episode("2", group="h")]
    # The world reads numbers: 5 and 5.0 are one answer.
    assert kept(KeepMajority(), some + tied) == ["so 5", "5.0"]
    assert kept(KeepMajority(0.5), some) == []


def test_filters_are_described_for_the_record(tmp_path: Path) -> None:
    from palaestra.evolution.recipe import configure, describe
    from palaestra.evolution.recipes import find_recipe

    recipe = configure(find_recipe("rest"), {"refine.0.thresholds": [0.5, 0.9], "acquire.improves": 2})
    assert describe(recipe)["refine"] == [{"kind": "KeepRising", "thresholds": [0.5, 0.9]}]
    assert replace(recipe.acquire, improves=3) == find_recipe("rest").acquire
