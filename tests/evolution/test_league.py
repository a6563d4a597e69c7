"""Ancestors, who is drawn against whom, and who becomes champion."""

from pathlib import Path

import numpy as np
import pytest
from palaestra.agents.local import LocalPolicy
from palaestra.agents.policy import Sampling
from palaestra.envs.errors import ShapeError, UnknownNameError, UsageError
from palaestra.evolution.evaluation.statistics import mean_share, wilson
from palaestra.evolution.league import League, Tally, chances
from tiny import tiny_policy


def test_chances_by_rule() -> None:
    names = ["a", "b", "c"]
    assert chances(names, {}, "latest") == [0, 0, 1]
    assert chances(names, {}, "uniform") == pytest.approx([1 / 3] * 3)
    assert chances(names, {}, "prioritised") == pytest.approx([1 / 3] * 3)
    known = {"a": Tally(99, 98.5), "b": Tally(99, 49.5), "c": Tally(99, 0.5)}
    # Shares with one drawn game assumed: .99, .5, .01; weights .0001, .25, .9801.
    assert chances(names, known, "prioritised") == pytest.approx([0.0001 / 1.2302, 0.25 / 1.2302, 0.9801 / 1.2302])
    with pytest.raises(UnknownNameError, match="Did you mean 'latest'"):
        chances(names, {}, "lastest")  # type: ignore[arg-type]


def test_a_candidate_must_surely_win(tmp_path: Path) -> None:
    league = League(tmp_path, ["old", "new"], champion="old")
    assert not league.gate("new", mean_share([1.0] * 6 + [0.0] * 4), 0.5)
    assert not league.gate("new", mean_share([]), 0.5)
    assert not league.gate("new", mean_share([1.0]), 0.5)
    assert not league.gate("new", mean_share([1.0] * 600 + [0.0] * 400), 0.6)
    assert league.champion == "old"
    assert league.gate("new", mean_share([1.0] * 600 + [0.0] * 400), 0.5)
    assert league.champion == "new"


def test_the_interval_of_a_mean_is_students() -> None:
    found = mean_share([0.0, 0.5, 0.5, 1.0])
    # Deviation 0.408, t of 3 degrees 3.182: half a width of 0.65, cut at 0 and 1.
    assert (found.value, found.low, found.high) == (0.5, 0.0, 1.0)
    narrow = mean_share([0.4, 0.5, 0.6])
    assert (narrow.low, narrow.high) == pytest.approx(
        (0.5 - 4.3027 * 0.1 / 3**0.5, 0.5 + 4.3027 * 0.1 / 3**0.5), abs=1e-4
    )
    # Two games won say little: as much as Wilson's interval of two trials.
    all_won = mean_share([1.0, 1.0])
    assert (all_won.value, all_won.high) == (1.0, pytest.approx(1.0))
    assert all_won.low == pytest.approx(0.3424, abs=1e-4)
    drawn = mean_share([0.5] * 3)
    assert (drawn.value, drawn.low, drawn.high) == (0.5, wilson(1, 3).low, wilson(2, 3).high)
    with pytest.raises(ShapeError, match="between 0 and 1"):
        mean_share([0.5, 1.5])


def test_frozen_weights_play_as_they_did_and_survive(tmp_path: Path) -> None:
    tiny = tiny_policy()
    policy = LocalPolicy(tiny.model, tiny.tokenizer, "test:tiny")
    league = League(tmp_path / "league")
    first = league.freeze(policy, 0)
    assert league.freeze(policy, 0) == first
    assert league.champion == first
    policy.model.get_input_embeddings().weight.data.add_(1.0)
    second = league.freeze(policy, 10)
    league.count(first, 1.0)
    league.count(first, 0.5)
    league.save(tmp_path)
    again = League(tmp_path / "league")
    again.load(tmp_path)
    assert (again.members, again.champion) == ([first, second], first)
    assert again.tallies == {first: Tally(2, 1.5)}
    weights = [
        again.agent(name, Sampling()).policy.model.get_input_embeddings().weight  # type: ignore[union-attr]
        for name in (first, second)
    ]
    assert float((weights[1] - weights[0]).detach().mean()) == pytest.approx(1.0, abs=0.01)
    with pytest.raises(UsageError, match="has no 'step-000099'"):
        again.agent("step-000099", Sampling())
    assert again.draw(np.random.default_rng(0), "latest", 3) == [second] * 3
