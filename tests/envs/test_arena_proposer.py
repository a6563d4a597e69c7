"""A proposer and its solvers: payments by hand, every kind of task, and what proposers and solvers may try."""

import numpy as np
import pytest
from palaestra.envs.arena import proposer_solver_v0
from palaestra.envs.arena.dialogues.proposals import Payment, after_duplicates
from palaestra.envs.arena.dialogues.proposing import ProposerSolver
from palaestra.envs.arena.dialogues.sums import Sums
from palaestra.envs.arena.talk import Fault
from palaestra.envs.contracts import HOSTILE_ACTIONS
from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.envs.math.arithmetic import Arithmetic
from palaestra.envs.verdict import Status
from pettingzoo.test import api_test, parallel_api_test, seed_test
from proposing import play, propose, refusal

KINDS = ["arithmetic", "deduction", "abduction", "induction"]


def test_it_keeps_pettingzoos_contract(capsys: pytest.CaptureFixture[str]) -> None:
    api_test(proposer_solver_v0.env(), num_cycles=100)
    api_test(proposer_solver_v0.env(kind="deduction"), num_cycles=20)
    seed_test(proposer_solver_v0.env, num_cycles=30)
    parallel_api_test(proposer_solver_v0.parallel_env(), num_cycles=30)


# Payments, by hand.


@pytest.mark.parametrize(
    ("answers", "absolute_zero", "r_zero"),
    [
        (["85", "85", "85", "85"], 0.0, 0.0),
        (["85", "85", "85", "1"], 0.25, 0.5),
        (["85", "1", "85", "1"], 0.5, 1.0),
        (["1", "85", "1", "1"], 0.75, 0.5),
        (["1", "2", "3", ""], 0.0, 0.0),
    ],
)
def test_what_a_task_pays(answers: list[str], absolute_zero: float, r_zero: float) -> None:
    solvers = [float(answer == "85") for answer in answers]
    assert play(proposer_solver_v0.raw_env(), "37+48", *answers) == [absolute_zero, *solvers]
    assert play(proposer_solver_v0.raw_env(pay="r_zero"), "37+48", *answers) == [r_zero, *solvers]


@pytest.mark.parametrize(("pay", "unreadable", "invalid"), [("absolute_zero", -1.0, -0.5), ("r_zero", 0.0, 0.0)])
def test_what_no_task_costs(pay: str, unreadable: float, invalid: float) -> None:
    arena = proposer_solver_v0.raw_env(pay=pay, solvers=2)
    assert play(arena, "What is love?") == [unreadable, 0.0, 0.0]
    assert arena.infos["player_0"]["verdict"].status is Status.UNPARSED
    assert play(arena, "37+480") == [invalid, 0.0, 0.0]
    assert arena.infos["player_0"]["verdict"].status is Status.ILLEGAL
    # Who had nothing to solve has no reward, not one of 0.
    assert not any(arena.infos[f"player_{seat}"]["verdict"].valid for seat in (1, 2))


def test_duplicates_are_taken_off_but_not_below_0() -> None:
    assert Payment.R_ZERO.of(0.5) == 1.0
    assert after_duplicates(1.0, 0.25) == 0.75
    assert after_duplicates(0.2, 0.25) == 0.0
    kind = Sums()
    assert kind.read(" 037 + 48 = ?").key == kind.read("Add:\n37+48").key != kind.read("48+37").key


def test_giving_up() -> None:
    arena = proposer_solver_v0.raw_env(solvers=3)
    arena.reset(seed=0)
    arena.give_up(Fault(0, Status.TIMEOUT, "too slow"))
    assert list(arena.rewards.values()) == [-1.0, 0.0, 0.0, 0.0]
    arena.reset(seed=0)
    arena.step("37+48")
    arena.step("85")
    arena.give_up(Fault(2, Status.TIMEOUT, "too slow"))
    assert list(arena.rewards.values()) == [0.5, 1.0, 0.0, 0.0]
    statuses = [arena.infos[f"player_{seat}"]["verdict"].status for seat in (1, 2, 3)]
    assert statuses == [Status.CORRECT, Status.TIMEOUT, Status.BROKEN_TASK]


def test_a_proposer_may_try_again() -> None:
    arena = proposer_solver_v0.raw_env(solvers=1, illegal="retry", tries=2)
    arena.reset(seed=0)
    arena.step("7/2")
    assert "a quotient is not exact" in arena.observe("player_0")
    assert "exact." not in arena.observe("player_1").replace("every quotient", "")
    arena.step("8/2")
    arena.step("4")
    assert list(arena.rewards.values()) == [0.0, 1.0]
    assert play(arena, "what?", "7/2") == [-0.5, 0.0]
    assert play(arena, "7/2", "what?") == [-1.0, 0.0]
    assert arena.illegal_moves == [2, 0]


@pytest.mark.parametrize("operations", ["+-*/", "/"])
def test_a_task_may_be_set_for_a_proposer(operations: str) -> None:
    arena = proposer_solver_v0.raw_env(solvers=1, illegal="random", operations=operations)
    told = set()
    for seed in range(20):
        arena.reset(seed=seed)
        arena.step("what?")
        assert arena.illegal_moves == [1, 0]
        told.add(arena.observe("player_1"))
        arena.step("0")
    assert len(told) > 10


# Who is told what.


@pytest.mark.parametrize("kind", KINDS)
def test_no_solver_is_told_what_another_said_nor_the_answer(kind: str) -> None:
    arena = proposer_solver_v0.raw_env(kind=kind, solvers=3)
    arena.reset(seed=0)
    secret = 9_137
    waiting = arena.observe("player_2")
    program = f"# {secret}\ndef f(x):\n    '{secret}'\n    return x * 13"
    inputs = ("703", "2", "3", "4") if kind == "induction" else ("703",)
    arena.step("40+51" if kind == "arithmetic" else propose(program, *inputs))
    assert waiting != arena.observe("player_2")
    told = arena.observe("player_2")
    assert arena.proposal is not None
    hidden = {"arithmetic": "91", "deduction": "9139", "abduction": "703", "induction": "13"}[kind]
    assert hidden not in told.replace("703) = 9139", "")
    assert str(secret) not in told
    arena.step("1234567")
    assert arena.observe("player_2") == told
    assert "1234567" not in arena.observe("player_3")
    assert "1234567" not in arena.observe("player_0")


def test_small_policies_are_told_what_the_arithmetic_world_tells() -> None:
    arena = proposer_solver_v0.raw_env(explain=False, solvers=1)
    world = Arithmetic()
    for task in list(world.tasks)[:20]:
        arena.reset(seed=0)
        arena.step(task.id)
        assert arena.observe("player_1") == task.prompt
        # Whether it is held out is the same question in both.
        assert arena.task(1).fingerprint == task.fingerprint
        arena.step(str(task.reference))
        assert arena.rewards["player_1"] == 1.0


def test_earlier_tasks_are_shown_and_drawn_by_the_games_own_chance() -> None:
    arena = ProposerSolver(Sums(), solvers=1, examples=[f"{n}+{n}" for n in range(10, 30)])
    told = []
    for seed in (0, 0, 1):
        arena.reset(seed=seed)
        told.append(arena.observe("player_0"))
    assert told[0] == told[1] != told[2]
    assert told[0].count("An earlier task") == 3


# Arithmetic.


def test_expressions_agree_with_python() -> None:
    generator = np.random.default_rng(0)
    kind = Sums(digits=3, operands=5)
    read = 0
    for _ in range(400):
        text = kind.sample_proposal(generator).replace("*", "*/"[int(generator.integers(2))])
        try:
            exact: float | None = eval(text.replace("/", "//"))
            if any(eval(text[:cut].replace("/", "//")) != eval(text[:cut]) for cut in _ends(text)):
                exact = None
        except ZeroDivisionError:
            exact = None
        if exact is None:
            assert refusal(kind, text) is Status.ILLEGAL
        else:
            read += 1
            assert kind.read(text).reference == exact
    assert read > 200


def _ends(text: str) -> list[int]:
    """Where a number of the text ends: each beginning of it must be whole, too, for every quotient to be."""
    return [cut for cut in range(1, len(text) + 1) if text[cut - 1].isdigit() and not text[cut : cut + 1].isdigit()]


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("", Status.UNPARSED),
        ("37", Status.UNPARSED),
        ("2**9", Status.UNPARSED),
        ("9" * 5_000 + "+1", Status.UNPARSED),
        ("٣٧+٤٨", Status.UNPARSED),
        ("1+" * 5_000 + "1", Status.UNPARSED),
        ("37+48\nIs that good?", Status.UNPARSED),
        ("__import__('os')", Status.UNPARSED),
        ("1+2+3", Status.ILLEGAL),
        ("100+1", Status.ILLEGAL),
        ("7/2", Status.ILLEGAL),
        ("7/0", Status.ILLEGAL),
    ],
)
def test_what_is_no_expression(text: str, status: Status) -> None:
    assert refusal(Sums(), text) is status


def test_only_the_allowed_signs_count() -> None:
    assert refusal(Sums(operations="+"), "3*4") is Status.ILLEGAL
    assert Sums(operations="*").read("3×4").reference == 12


def test_a_solver_that_echoes_earns_nothing() -> None:
    arena = proposer_solver_v0.raw_env(solvers=1)
    for text in ("37+48", "50-7", "12*3", "84/2"):
        arena.reset(seed=0)
        arena.step(text)
        arena.step(arena.observe("player_1"))
        assert arena.rewards["player_1"] == 0.0


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_texts_of_both_sides_never_raise(kind: str) -> None:
    arena = proposer_solver_v0.raw_env(kind=kind, solvers=1)
    valid = arena.kind.sample_proposal(np.random.default_rng(0))
    for text in HOSTILE_ACTIONS:
        arena.reset(seed=0)
        arena.step(text)
        assert arena.rewards["player_0"] < 0.0
        arena.reset(seed=0)
        arena.step(f"```python\n{text}\n```\n```input\n{text}\n```")
        assert arena.rewards["player_0"] < 0.0
        arena.reset(seed=0)
        arena.step(valid)
        arena.step(text)
        assert list(arena.rewards.values()) == [0.0, 0.0]


@pytest.mark.parametrize("kind", KINDS)
def test_those_without_any_skill_set_valid_tasks(kind: str) -> None:
    arena = proposer_solver_v0.raw_env(kind=kind, solvers=2)
    generator = np.random.default_rng(0)
    for seed in range(3):
        arena.reset(seed=seed)
        while not arena.over:
            arena.step(arena.sample_action(generator))
        assert arena.proposal is not None
    assert arena.instant == (kind == "arithmetic")


def test_a_clone_plays_a_game_of_its_own() -> None:
    arena = proposer_solver_v0.raw_env(solvers=2)
    arena.reset(seed=0)
    arena.step("1+1")
    twin = arena.clone()
    twin.reset(seed=0)
    assert twin.seat == 0
    twin.step("2+2")
    twin.step("4")
    assert arena.answers == []
    assert "1 + 1" in arena.observe("player_1")


def test_unknown_names_and_numbers_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="deduction"):
        proposer_solver_v0.raw_env(kind="deductoin")
    with pytest.raises(UnknownNameError, match="r_zero"):
        proposer_solver_v0.raw_env(pay="rzero")
    for settings in ({"solvers": 0}, {"solvers": 65}, {"digits": 0}, {"operands": 1}):
        with pytest.raises(UsageError):
            proposer_solver_v0.raw_env(**settings)
    with pytest.raises(UsageError):
        proposer_solver_v0.raw_env(operations="^")
