"""Self-play: whose episodes are learned from, and with what credit; and a run that is killed goes on the same."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from palaestra.agents.alphabet import build_tokenizer
from palaestra.agents.episode import Episode
from palaestra.agents.language import LanguageAgent
from palaestra.agents.local import LocalPolicy
from palaestra.agents.nursery import Plan, _new_model
from palaestra.agents.policy import Sampling
from palaestra.agents.rollout import Rollout
from palaestra.envs.errors import RunError, UsageError
from palaestra.envs.verdict import Status
from palaestra.evolution.acquisition.self_play import SelfPlay
from palaestra.evolution.cli.evolve import _without_words
from palaestra.evolution.evaluation.sparring import CHAMPION, START, Sparring
from palaestra.evolution.league import League, learn_of
from palaestra.evolution.recipe import configure
from palaestra.evolution.recipes import find_recipe
from palaestra.evolution.updating.role_credit import Baselines
from palaestra.evolution.yard import Yard, refuse_held_out
from tiny import make_episode, tiny_policy

ENV = "kuhn_poker?explain=false&illegal=random"
PALAESTRA = [sys.executable, "-c", "from palaestra.evolution.cli import main; main()"]
SMALL = Plan(hidden_size=16, intermediate_size=32, layers=1, heads=2, positions=300)


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    policy = LocalPolicy(_new_model(SMALL, 0), build_tokenizer(300), "test:newborn")
    return Yard(Rollout(LanguageAgent(policy)), 5, League(tmp_path / "league"))


def test_in_the_mirror_every_seat_is_learned_from(yard: Yard) -> None:
    episodes = SelfPlay(games=6, sampling=Sampling(max_tokens=3))(yard, ENV, 1)
    assert [episode.id for episode in episodes] == [f"s1/g{game}/{seat}" for game in range(6) for seat in (0, 1)]
    assert {episode.task for episode in episodes} == {"kuhn_poker_v0/player_0", "kuhn_poker_v0/player_1"}
    assert all(episode.tokens > 0 for episode in episodes)
    assert sum(episode.reward for episode in episodes) == 0
    again = SelfPlay(games=6, sampling=Sampling(max_tokens=3))(yard, ENV, 1)
    assert [episode.digest() for episode in again] == [episode.digest() for episode in episodes]
    refuse_held_out(episodes)


def test_against_the_league_only_the_policys_own_seat_is(yard: Yard) -> None:
    acquire = SelfPlay(games=8, against_league=1.0, freeze_every=2, sampling=Sampling(max_tokens=3))
    acquire.prepare(yard, 1)
    first = acquire(yard, ENV, 1)
    assert yard.league.members == ["step-000000"]
    assert len(first) == 8
    assert [episode.task[-1] for episode in first] == ["0", "1"] * 4
    assert {episode.group for episode in first} == {"s1/step-000000"}
    learn_of(yard.league, first)
    tally = yard.league.tallies["step-000000"]
    won = sum(episode.verdict.status is Status.CORRECT for episode in first)
    assert (tally.games, tally.points) == (8, won)
    acquire.prepare(yard, 2)
    assert yard.league.members == ["step-000000"]
    acquire.prepare(yard, 3)
    assert yard.league.members == ["step-000000", "step-000002"]


def test_a_rival_with_weights_of_its_own_sits_in_the_other_seats(yard: Yard, tmp_path: Path) -> None:
    run = tmp_path / "rival"
    other = LocalPolicy(_new_model(SMALL, 1), build_tokenizer(300), "test:rival")
    other.save(run / "league" / "step-000000")
    acquire = SelfPlay(games=4, seats=(1,), rival=f"run:{run}", freeze_every=2, sampling=Sampling(max_tokens=3))
    acquire.prepare(yard, 1)
    first = acquire(yard, ENV, 1)
    assert [episode.task for episode in first] == ["kuhn_poker_v0/player_1"] * 4

    def sits() -> str:
        policy = yard.rival(f"run:{run}", acquire.sampling).policy
        assert policy is not None
        return policy.name.rpartition("@")[2]

    assert sits() == "0"
    other.save(run / "checkpoints" / "step-000020")
    acquire.prepare(yard, 2)
    assert sits() == "0"
    acquire.prepare(yard, 3)
    assert sits() == "20"
    evaluate = Sparring(opponents=("scripted:random",), games=4, seats=(1,), sampling=Sampling(max_tokens=3))
    played = evaluate.play(yard, ENV, 0)
    assert [episode.task for episode in played.episodes] == ["kuhn_poker_v0/player_1"] * 4
    assert "exploitability" not in played.figures


def test_seats_without_a_rival_and_seats_that_are_not_there_are_refused(yard: Yard) -> None:
    with pytest.raises(UsageError, match="go together"):
        SelfPlay(seats=(0,)).require(ENV)
    with pytest.raises(UsageError, match="go together"):
        SelfPlay(rival="scripted:random").require(ENV)
    with pytest.raises(UsageError, match="go together"):
        SelfPlay(seats=(0,), rival="scripted:random", against_league=0.5).require(ENV)
    configured = find_recipe("spiral", {"acquire.seats": [1], "acquire.rival": "scripted:random"})
    configured.acquire.require(ENV)
    with pytest.raises(UsageError, match="has the seats 0 to 1"):
        SelfPlay(games=2, seats=(2,), rival="scripted:random")(yard, ENV, 1)


def test_a_rival_that_never_comes_ends_the_wait(yard: Yard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("palaestra.evolution.yard._RIVAL_SECONDS", 0.1)
    with pytest.raises(RunError, match="has had no checkpoint"):
        yard.rival(f"run:{tmp_path}/none", Sampling(max_tokens=3))


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(UsageError, match="share"):
        SelfPlay(against_league=1.5)
    with pytest.raises(UsageError, match="at least 1"):
        SelfPlay(games=0)


def test_what_is_no_arena_is_refused_before_anything_is_born(tmp_path: Path) -> None:
    command = [*PALAESTRA, "evolve", "spiral", "--env", "arithmetic", "--run", str(tmp_path / "run")]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert ran.returncode == 2
    assert "Self-play needs an arena, and 'arithmetic' is none" in " ".join(ran.stderr.split())
    assert not (tmp_path / "run").exists()


def test_a_newborn_policy_is_told_no_rules() -> None:
    assert _without_words("kuhn_poker") == "kuhn_poker?explain=false"
    assert _without_words("kuhn_poker?players=3") == "kuhn_poker?players=3&explain=false"
    for spec in ("kuhn_poker?explain=true", "arithmetic", "kuhn_poker?cards=3", "no such thing"):
        assert _without_words(spec) == spec


def test_sparring_plays_everybody_in_every_seat_and_measures(yard: Yard) -> None:
    evaluate = Sparring(
        opponents=("scripted:random", START, CHAMPION), games=10, samples=3, sampling=Sampling(max_tokens=3)
    )
    played = evaluate.play(yard, ENV, 0)
    # At the start the champion is the policy itself: nothing is to be found out.
    assert [episode.group for episode in played.episodes] == ["scripted:random"] * 10 + [START] * 10
    assert 0.2 < played.figures["exploitability"] < 1.5
    assert 0 <= played.figures["illegal"] <= 1
    scores = evaluate.scores(ENV, played.episodes, played.figures)
    assert [score.env for score in scores] == [ENV, f"{ENV} against {START}"]
    assert scores[0].measure == "share won against scripted:random"
    assert scores[0].figures["exploitability"] == played.figures["exploitability"]
    assert "exploitability" not in scores[1].figures
    later = evaluate.play(yard, ENV, 10)
    assert sum(episode.group == CHAMPION for episode in later.episodes) == 10
    champion = yard.league.champion
    evaluate.settle(yard, ENV, [_paid(episode, -2.0) for episode in later.episodes], 10)
    assert yard.league.champion == champion == "step-000000"
    evaluate.settle(yard, ENV, [_paid(episode, 2.0) for episode in later.episodes], 10)
    assert yard.league.champion == "step-000010"


def _paid(episode: Episode, reward: float) -> Episode:
    """The same game with another end."""
    last = replace(episode.turns[-1], reward=reward)
    return replace(episode, turns=(*episode.turns[:-1], last))


def test_baselines_by_role_are_read_before_they_learn() -> None:
    policy = tiny_policy()
    first, second = (make_episode(policy, [([2], [3, 1])], [reward]) for reward in (1.0, -1.0))
    mine = [_seated(first, "a"), _seated(second, "b"), _seated(first, "a")]
    by_role, shared = Baselines(by_role=True), Baselines(by_role=False)
    assert [list(a) for a in by_role.credit(mine, 1.0)] == [[1.0], [-1.0], [1.0]]
    # 0.05 after one, 0.95 * 0.05 + 0.05 after two.
    assert by_role.means == pytest.approx({"arena|a": 0.0975, "arena|b": -0.05})
    assert np.concatenate(by_role.credit(mine, 1.0)) == pytest.approx([0.9025, -0.95, 0.9025])
    shared.credit(mine, 1.0)
    assert shared.means == pytest.approx({"arena|": ((0.05 * 0.95) - 0.05) * 0.95 + 0.05})


def _seated(episode: object, role: str) -> object:
    return replace(episode, env="arena", task=role)  # type: ignore[type-var]


def test_the_recipe_reads_like_its_paper_and_can_be_set() -> None:
    recipe = find_recipe("spiral", {"acquire.against_league": 0.5, "acquire.choice": "prioritised", "steps": 3})
    assert recipe.update.credit == "role"  # type: ignore[attr-defined]
    assert configure(recipe, {"update.credit": "shared"}).update.credit == "shared"  # type: ignore[attr-defined]
    assert recipe.name == "spiral"


@pytest.mark.slow
def test_a_killed_run_goes_on_with_the_same_ancestors_and_ends_with_the_same_weights(tmp_path: Path) -> None:
    """Killed after step 7 was recorded, which froze an ancestor that the checkpoint of step 4 knows nothing of."""
    LocalPolicy(_new_model(SMALL, 0), build_tokenizer(300), "test:newborn").save(tmp_path / "newborn")
    settings = [
        "acquire.games=12",
        "acquire.against_league=0.5",
        "acquire.choice=prioritised",
        "acquire.freeze_every=2",
    ]
    settings += ["acquire.sampling.max_tokens=3", "evaluate.sampling.max_tokens=3", "evaluate.games=6"]
    settings += ["evaluate.samples=2", "evaluate_every=4", "checkpoint_every=4"]
    command = [*PALAESTRA, "evolve", "spiral", "--env", ENV, "--steps", "8"]
    command += ["--policy", f"local:{tmp_path / 'newborn'}", *(word for s in settings for word in ("--set", s))]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}  # their number decides how sums are rounded
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": one_thread}
    subprocess.run([*command, "--run", str(tmp_path / "whole")], check=True, timeout=300, **quiet)
    killed = tmp_path / "killed"
    with subprocess.Popen([*command, "--run", str(killed)], **quiet) as process:
        until = time.monotonic() + 300
        while not (killed / "experience" / "step-000007.parquet").exists():
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.005)
        process.kill()
    resume = [*PALAESTRA, "evolve", "--resume", str(killed)]
    subprocess.run(resume, check=True, timeout=300, **quiet)
    for file in ("model.safetensors", "league.json"):
        ends = [(run / "checkpoints" / "step-000008" / file).read_bytes() for run in (tmp_path / "whole", killed)]
        assert ends[0] == ends[1], file
    league = json.loads((killed / "checkpoints" / "step-000008" / "league.json").read_text())
    assert league["members"] == [f"step-{step:06d}" for step in (0, 2, 4, 6, 8)]
    assert 30 < sum(tally["games"] for tally in league["tallies"].values()) < 66
