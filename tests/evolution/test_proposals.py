"""Proposer and solver in one policy: payments, what is dropped, and that nothing held out is learned."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from newborns import save_newborn
from palaestra.agents.agent import Acting, Move
from palaestra.agents.episode import Episode
from palaestra.agents.matches import Match, Matches
from palaestra.agents.rollout import Rollout
from palaestra.envs import make
from palaestra.envs.arena.catalogue import make_arena
from palaestra.envs.errors import UsageError
from palaestra.envs.math.arithmetic import Difficulty, arithmetic_tasks
from palaestra.envs.seeding import derive_seed
from palaestra.envs.task import HELD_OUT_SHARE, held_out
from palaestra.envs.verdict import Status, Verdict
from palaestra.evolution.evaluation.proposing import Proposing, _figures
from palaestra.evolution.evolve import evolve
from palaestra.evolution.objective import Objective
from palaestra.evolution.recipes import find_recipe
from palaestra.evolution.refinement.proposals import ByRole, DropHeldOut, KeepMiddle, PayProposals, games_of
from palaestra.evolution.run import Run
from palaestra.evolution.view import Silent
from palaestra.evolution.yard import Yard

ARENA = "proposer_solver?kind=arithmetic&operations=%2B&explain=false&solvers=4"
SUMS = list(arithmetic_tasks(Difficulty(1, 2, "+"), size=100))
TRAIN = [task.id for task in SUMS if not task.held_out(HELD_OUT_SHARE)]
TEST = [task.id for task in SUMS if task.held_out(HELD_OUT_SHARE)]


class Pair:
    """Proposes by a script, game by game, and answers by one, seat by seat."""

    name, policy = "pair", None

    def __init__(self, proposals: list[str], answers: list[list[str]]) -> None:
        self.proposals, self.answers = proposals, answers

    def with_sampling(self, sampling: object) -> "Pair":
        return self

    def enter(self, env: object, task: object, seed: int) -> "Seat":
        game, seat = next(
            (g, s) for g in range(len(self.proposals)) for s in range(5) if seed == derive_seed(g, "seat", s, 0)
        )
        return Seat(self.proposals[game] if seat == 0 else self.answers[game][seat - 1])


class Seat:
    def __init__(self, said: str) -> None:
        self.said = said

    def act(self, observation: str) -> Acting:
        return Move(self.said, self.said)
        yield


def played(proposals: list[str], answers: list[list[str]], arena: str = ARENA) -> list[Episode]:
    matches = [Match(f"s1/g{g}", arena, (0,) * 5, seed=g) for g in range(len(proposals))]
    records = Matches([Pair(proposals, answers)]).play(matches)
    return [e for record in records for e in record.episodes if e.valid]


def yard() -> Yard:
    return Yard(Rollout(Pair([], [])), seed=0)


def paid(episodes: list[Episode], **settings: object) -> dict[str, list[float]]:
    some = PayProposals(**settings).at(yard(), 1)(episodes)
    return {name: [e.reward for e in game.episodes] for name, game in games_of(some).items()}


def wrong(task: str) -> str:
    return str(eval(task) + 1)


def test_proposers_are_paid_by_the_share_that_solves() -> None:
    one, two, three, four = TRAIN[:4]
    proposals = [one, two, three, four, "nonsense", "5*5"]
    answers = [
        [str(eval(one))] * 4,
        [str(eval(two)), *[wrong(two)] * 3],
        [wrong(three)] * 4,
        [str(eval(four)), str(eval(four)), "7!", ""],
        [""] * 4,
        [""] * 4,
    ]
    episodes = played(proposals, answers)
    assert paid(episodes) == {
        "s1/g0": [0.0, 1, 1, 1, 1],
        "s1/g1": [0.75, 1, 0, 0, 0],
        "s1/g2": [0.0, 0, 0, 0, 0],
        "s1/g3": [0.5, 1, 1, 0, 0],
        "s1/g4": [-1.0],
        "s1/g5": [-0.5],
    }
    assert [game[0] for game in paid(episodes, rule="r_zero").values()] == [0.0, 0.5, 0.0, 1.0, 0.0, 0.0]
    # The arena pays by the same rule.
    arena = {name: [e.reward for e in game.episodes] for name, game in games_of(episodes).items()}
    assert arena == paid(episodes)


def test_a_majority_may_be_wrong_and_still_is_the_label() -> None:
    one, two = TRAIN[:2]
    episodes = played([one, two], [[wrong(one)] * 3 + [str(eval(one))], ["", "", "", ""]])
    assert paid(episodes, rule="r_zero", labels="majority") == {
        "s1/g0": [0.5, 1, 1, 1, 0],
        "s1/g1": [0.0, 0, 0, 0, 0],
    }
    refined = PayProposals("r_zero", labels="majority").at(yard(), 1)(episodes)
    assert [e.correct for e in refined[1:5]] == [False, False, False, True]


def test_duplicates_cost_their_share() -> None:
    one, two = TRAIN[:2]
    half = [[str(eval(t))] * 2 + [wrong(t)] * 2 for t in (one, one, one, two)]
    spaced = one.replace("+", " + ")
    found = paid(played([one, spaced, one, two], half), rule="r_zero", duplicates=True)
    assert [game[0] for game in found.values()] == [0.25, 0.25, 0.25, 0.75]


def test_proposals_that_are_held_out_are_dropped_whole() -> None:
    assert TEST
    proposals = [TRAIN[0], TEST[0], TEST[1].replace("+", " + "), f"0{TEST[2]}", TRAIN[1], "nonsense"]
    episodes = played(proposals, [["1", "2", "3", "4"]] * 6)
    held = {t.fingerprint for t in make("arithmetic?digits=1").tasks.split().test}
    assert len({e.fingerprint for e in episodes} & held) == 3
    left = DropHeldOut()(episodes)
    assert list(games_of(left)) == ["s1/g0", "s1/g4", "s1/g5"]
    assert not {e.fingerprint for e in left if e.task.endswith("/solver")} & held


def test_answers_of_middle_difficulty_are_kept_and_all_proposals() -> None:
    tasks = TRAIN[:3]
    answers = [[str(eval(t))] * right + [wrong(t)] * (4 - right) for t, right in zip(tasks, (0, 2, 4), strict=True)]
    kept = KeepMiddle(0.3, 0.7)(played([*tasks, "nonsense"], [*answers, [""] * 4]))
    assert [len(game.episodes) for game in games_of(kept).values()] == [1, 5, 1, 1]
    assert all(game.proposer for game in games_of(kept).values())
    with pytest.raises(UsageError):
        KeepMiddle(0.7, 0.3)


def test_roles_are_compared_among_themselves() -> None:
    episodes = played(TRAIN[:2], [["1"] * 4] * 2)
    assert len({e.group for e in ByRole()(episodes)}) == 2
    groups = [e.group for e in ByRole(by_task=True)(episodes)]
    assert len(set(groups)) == 3
    assert groups[0] == groups[5] != groups[1] == groups[4] != groups[6]


def test_another_arena_has_no_proposals() -> None:
    episodes = [replace(e, env="nim") for e in played(TRAIN[:1], [["1"] * 4])]
    with pytest.raises(UsageError, match="has no proposer"):
        PayProposals().at(yard(), 1)(episodes)


def test_both_sides_of_the_arena_ask_what_the_small_world_asks() -> None:
    world, arena = make("setandsolve?digits=1"), make_arena(ARENA)
    arena.reset(seed=0)
    setting = [task for task in world.tasks if task.id.startswith("set/")]
    assert {task.prompt for task in setting} == {str(arena.observe("player_0"))}
    assert 10 < len(setting) < 40
    arena.step(world.solution(setting[0])[0])
    assert str(arena.observe("player_1")) in {task.prompt for task in world.tasks}
    for task in (*setting[:5], *SUMS[:5]):
        env = make("setandsolve?digits=1")
        env.reset(options={"task": task})
        assert env.step(env.solution(task)[0])[1] == 1.0
        env.reset(options={"task": task})
        assert env.step("no")[4]["verdict"].status is Status.UNPARSED


@pytest.mark.parametrize("name", ["absolute-zero", "r-zero"])
def test_a_run_learns_nothing_held_out(name: str, tmp_path: Path) -> None:
    """A policy that has learned nothing but to propose and answer one-digit sums at random."""
    save_newborn(tmp_path / "policy", 128, width=32)
    arena, watched = f"{ARENA}&illegal=random", "palaestra/Arithmetic-v0?digits=2"
    settings = {
        "steps": 2,
        "acquire.games": 24,
        "acquire.sampling.max_tokens": 3,
        "evaluate.games": 8,
        "evaluate.tasks.tasks": 4,
        "evaluate.tasks.sampling.max_tokens": 3,
        **({"refine.2.lowest": 0.0} if name == "r-zero" else {}),
    }
    result = evolve(
        find_recipe(name, settings),
        objective=Objective("sums", ladder=(arena,), watched=(watched,)),
        policy=f"local:{tmp_path / 'policy'}",
        seed=0,
        directory=tmp_path / "run",
        view=Silent(),
        settings=settings,
    )
    run = Run.open(tmp_path / "run", read_only=True)
    lived = {e.id: e for step in (1, 2) for e in run.experience.read(f"step-{step:06d}")}
    learned = [lived[id_] for row in run.lineage() for id_ in row["learned_from"]]
    solved = [e for e in lived.values() if e.task.endswith("/solver")]
    assert any(held_out(e.fingerprint, HELD_OUT_SHARE) for e in solved)
    assert any(e.task.endswith("/solver") for e in learned)
    dropped = {e.id.rpartition("/")[0] for e in solved if held_out(e.fingerprint, HELD_OUT_SHARE)}
    assert not {e.id.rpartition("/")[0] for e in learned} & dropped
    first, second = result.after.scores
    assert first.env == arena
    assert first.figures["valid"] == 1.0
    assert second.env == watched
    assert second.tasks == 4


def test_what_the_arena_shows_of_a_policy() -> None:
    tasks = TRAIN[:3]
    answers = [[str(eval(t))] * right + [wrong(t)] * (4 - right) for t, right in zip(tasks, (0, 2, 4), strict=True)]
    episodes = played([*tasks, "nonsense"], [*answers, [""] * 4])
    figures = _figures(episodes)
    assert figures["valid"] == 0.75
    assert [figures[name] for name in ("middle", "solved by all", "solved by none")] == pytest.approx([1 / 3] * 3)
    (score,) = Proposing().scores(ARENA, episodes, figures)
    assert score.accuracy.value == pytest.approx(np.mean([0, 0.5, 1]))
    assert score.tasks == 3
    # Who had no task to solve did not fail; what broke is counted, though it is in no figure.
    assert score.invalid == 0
    broken = [*episodes[:-1], replace(episodes[-1], verdict=Verdict(0.0, Status.INFRASTRUCTURE, "away"))]
    assert Proposing().scores(ARENA, broken, figures)[0].invalid == 1
