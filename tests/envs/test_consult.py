"""Patients who answer what they are asked, and a critic who does not give the condition away."""

from itertools import product

import pytest
from palaestra.envs import make
from palaestra.envs.dialogue.consult import Consult
from palaestra.envs.errors import UsageError
from palaestra.envs.verdict import Status

PATIENT = "I am 34. It is my chest."
TELLS = {"Where is it?": "It is", "Since when?": "For", "How does it feel?": "It "}


@pytest.fixture(scope="module")
def world() -> Consult:
    env = make("consult?explain=false&size=600")
    assert isinstance(env, Consult)
    return env


def consulted(env: Consult, task: object, *actions: str) -> tuple[float, Status, bool]:
    env.reset(options={"task": task})
    for action in actions:
        _, reward, over, _, info = env.step(action)
    return reward, info["verdict"].status, over


def test_two_of_three_leave_three_conditions_or_four(world: Consult) -> None:
    book = {tuple(task.reference["aspects"]): task.metadata["condition"] for task in world.tasks}
    assert len(book) == 36
    for place, other in product(range(4), range(3)):
        assert len({book[(place, other, feel)] for feel in range(3)}) == 3
        assert len({book[(place, since, other)] for since in range(3)}) == 3
    for since, feel in product(range(3), repeat=2):
        assert len({book[(place, since, feel)] for place in range(4)}) == 4


def test_every_patient_tells_what_is_asked_and_nothing_else(world: Consult) -> None:
    for task in world.tasks[:100]:
        opened, _ = world.reset(options={"task": task})
        questions, named = world.solution(task)[:-1], world.solution(task)[-1]
        assert len(questions) == 2
        assert all(world.step(question)[0].startswith(TELLS[question]) for question in questions)
        assert named not in opened
        assert consulted(world, task, *questions, named) == (1.0, Status.CORRECT, True)


def test_wrong_missing_and_surplus(world: Consult) -> None:
    task = world.tasks[0]
    *questions, right = world.solution(task)
    wrong = next(name for name in ("Amaria", "Belonia") if name != right)
    assert consulted(world, task, wrong) == (0.0, Status.WRONG, True)
    assert consulted(world, task, f"{right} or {wrong}") == (0.0, Status.WRONG, True)
    assert consulted(world, task, f"It is {right.upper()}.") == (1.0, Status.CORRECT, True)
    # A condition in a question is not named, and one who only asks is left alone.
    assert consulted(world, task, f"Is it {right}?") == (0.0, Status.WRONG, False)
    assert consulted(world, task, *["Since when?"] * 6) == (0.0, Status.WRONG, True)
    assert consulted(world, task, *questions, *["Hm."] * 2, right) == (pytest.approx(0.8), Status.CORRECT, True)
    with pytest.raises(UsageError, match="no open consultation"):
        world.step(right)
    with pytest.raises(UsageError, match="patience"):
        Consult(patience=1)


def test_haste_is_right_one_time_in_three(world: Consult) -> None:
    hasty = [consulted(world, task, *world.slip(task)) for task in world.tasks]
    assert 0.25 < sum(status is Status.CORRECT for _, status, _ in hasty) / len(hasty) < 0.42
    assert {len(world.slip(task)) for task in world.tasks} == {2}


def test_the_critic_names_what_was_missed_and_no_condition(world: Consult) -> None:
    for task in world.tasks[:100]:
        *questions, right = world.solution(task)
        told = world.criticised(task, [questions[0], right])
        assert told.id == f"{task.id} (told)"
        assert told.prompt.startswith(f"{task.prompt} (Critic: ask ")
        assert told.reference == task.reference
        assert right not in told.prompt
        assert world.criticised(task, [*questions, right]) is None
        assert "ask" not in world.criticised(task, [*questions, "Nonsense"]).prompt
        both = world.criticised(task, [right]).prompt
        assert all(words in both for words in [told.prompt.rpartition("ask ")[2].rstrip(".)")])
        # Who does as the critic says is right; what is asked twice is answered twice.
        assert consulted(world, told, *questions, right)[1] is Status.CORRECT


def test_the_book_is_told_to_those_who_do_not_know_it() -> None:
    env = make("consult?size=50")
    task = env.tasks[0]
    told, _ = env.reset(options={"task": task})
    rows = [line for line in told.splitlines() if line.endswith(task.metadata["condition"])]
    assert told.endswith(task.prompt)
    assert len(rows) == 3
    assert make("consult?explain=false&size=50").reset(options={"task": task})[0] == task.prompt
