"""Tasks that are written down and read back: three worlds, the prompts, and the workshop where it is learned."""

import json
from pathlib import Path

import numpy as np
import pytest
from palaestra.envs import make
from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.envs.math.arithmetic import Difficulty, arithmetic_tasks
from palaestra.envs.question import QuestionEnv
from palaestra.envs.verdict import Status
from palaestra.envs.writing.language import BadTaskError, TaskLanguage, words_of
from palaestra.envs.writing.prompts import BROADEN, OPERATIONS, ask_evolution, ask_series, task_in
from palaestra.envs.writing.sums import evolved_sum

MIXED = "arithmetic?operands=3&fewest=2"
WORKSHOP = "workshop?of=arithmetic%3Foperands%3D3%26fewest%3D2&size=300"


@pytest.mark.parametrize("spec", [MIXED, "arithmetic?level=6", "countdown", "synthesis", "synthesis?level=4"])
def test_what_is_written_down_is_read_back_as_the_same_task(spec: str) -> None:
    world = make(spec)
    assert isinstance(world, TaskLanguage)
    assert isinstance(world, QuestionEnv)
    for task in world.tasks[:30]:
        read = world.read_task(world.write_task(task))
        # The fingerprint is that by which it is held out.
        assert read.fingerprint == task.fingerprint
        reply = world.solution(task)
        assert reply is not None
        assert world.judgement(read, reply[0]).status is Status.CORRECT


@pytest.mark.parametrize(
    ("spec", "text", "status"),
    [
        (MIXED, "48 plus 3", Status.UNPARSED),
        (MIXED, "1+2+3+4", Status.ILLEGAL),
        (MIXED, "100+1", Status.ILLEGAL),
        ("countdown", "reach 16 with 3, 5, 2, 7", Status.UNPARSED),
        ("countdown", "3, 5, 2: (3 + 5) * 2", Status.ILLEGAL),
        ("countdown", "3, 5, 2, 7: (3 + 5) * 4", Status.ILLEGAL),
        ("countdown", "3, 5, 2, 7: 3", Status.ILLEGAL),
        ("countdown", "3, 5, 2, 7: 3 / 5", Status.ILLEGAL),
        ("countdown", "3, 5, 2, 7: __import__('os')", Status.ILLEGAL),
        ("synthesis", "x*2+1", Status.UNPARSED),
        ("synthesis", "x*2+1 | 5 3 0", Status.ILLEGAL),
        ("synthesis", "x/2 | 1 2 3", Status.ILLEGAL),
        ("synthesis", "__import__('random').randrange(99) | 1 2 3", Status.ILLEGAL),
        ("synthesis", "open('/etc/passwd').read() | 1 2 3", Status.CRASHED),
        ("synthesis", "max(x, 1) + 1 | 1 2 3", Status.ILLEGAL),  # x+1 fits what is shown
    ],
)
def test_what_has_no_answer_that_could_be_checked_is_no_task(spec: str, text: str, status: Status) -> None:
    world = make(spec)
    assert isinstance(world, TaskLanguage)
    with pytest.raises(BadTaskError) as refused:
        world.read_task(text)
    assert refused.value.status is status


def test_problems_of_several_lengths_stay_within_their_bounds() -> None:
    tasks = arithmetic_tasks(Difficulty(1, 4, "+"), size=2_000, fewest=2)
    counts = {task.prompt.count("+") + 1 for task in tasks}
    assert counts == {2, 3, 4}
    assert sum(task.prompt.count("+") == 1 for task in tasks) == 100, "all there are"
    with pytest.raises(UsageError, match="fewest must be"):
        arithmetic_tasks(Difficulty(1, 2, "+"), size=5, fewest=3)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_evolved_sum_asks_for_more(operation: str) -> None:
    generator, longer = np.random.default_rng(0), 0
    for text in ("3+5", "41+7", "9+9+1"):
        for _ in range(20):
            evolved = evolved_sum(text, operation, generator, digits=2, operands=4)
            assert evolved is not None
            assert 2 <= len(evolved.split("+")) <= 4
            longer += len(words_of(evolved)) > len(words_of(text))
    assert (longer == 60) is (operation != BROADEN)


def test_what_the_bounds_leave_no_room_for_is_not_shown() -> None:
    generator = np.random.default_rng(0)
    assert evolved_sum("11+22+33", "constrain", generator, digits=2, operands=3) is None
    assert evolved_sum("11+22", "deepen", generator, digits=2, operands=3) is None
    assert evolved_sum("3*4", BROADEN, generator, digits=2, operands=3) is None


def test_prompts_show_the_tasks_and_their_form_and_newborn_ones_little_else() -> None:
    series = ask_series(["1+2", "3+4"], "HOW", explain=True)
    assert all(part in series for part in ("Task 1: 1+2", "Task 2: 3+4", "Write task 3", "HOW"))
    assert ask_series(["1+2", "3+4"], "HOW", explain=False) == "more\n1+2\n3+4"
    for operation, told in OPERATIONS.items():
        prompt = ask_evolution(operation, "1+2", "HOW", explain=True)
        assert told in prompt
        assert "\n1+2\n" in prompt
        assert "HOW" in prompt
        assert ask_evolution(operation, "1+2", "HOW", explain=False) == f"{operation}\n1+2"
    assert "harder" not in ask_evolution(BROADEN, "1+2", "HOW", explain=True)


@pytest.mark.parametrize(
    "reply",
    ["3+4", " 3+4\n", "9: 3+4", "Task 9: 3+4", "**Task 9:** 3+4\nTask 10: 5+6", "Sure!\nNew task:\n3+4", "9. 3+4"],
)
def test_the_task_is_found_in_a_reply(reply: str) -> None:
    assert task_in(reply) == "3+4"


def test_digits_are_words_of_their_own_so_that_numbers_can_be_nearly_alike() -> None:
    assert words_of("Add 37 + 48!") == ("add", "3", "7", "+", "4", "8", "!")


@pytest.mark.parametrize("writes", ["series", "evolution"])
def test_the_workshop_asks_for_answers_and_for_tasks(writes: str) -> None:
    world = make(f"{WORKSHOP}&writes={writes}")
    asked = [task for task in world.tasks if task.id.startswith("write/")]
    assert 60 < len(asked) < 240
    for task in (*asked[:20], *world.tasks[:20]):
        solution = world.solution(task)
        assert solution is not None
        world.reset(options={"task": task})
        assert world.step(solution[0])[1] == 1.0
        world.reset(options={"task": task})
        assert world.step("no")[4]["verdict"].status is Status.UNPARSED
        assert (world.slip(task) is None) is task.id.startswith("write/")
    if writes == "series":
        # What is shown is of the kind of the examples: as many digits.
        for task in asked[:20]:
            digits = {sum(c.isdigit() for c in line) for line in task.prompt.splitlines()[1:]}
            assert digits == {sum(c.isdigit() for c in world.solution(task)[0])}  # type: ignore[index]


def test_nothing_held_out_is_shown_in_the_workshop() -> None:
    world = make(WORKSHOP)
    language = make(MIXED)
    assert isinstance(language, TaskLanguage)
    for task in world.tasks:
        if task.id.startswith("write/"):
            shown = [*task.prompt.splitlines()[1:], *world.solution(task)]  # type: ignore[misc]
            assert not any(language.read_task(text).held_out(0.1) for text in shown)


def test_a_file_takes_the_place_of_what_may_be_learned_from(tmp_path: Path) -> None:
    own = make("arithmetic?digits=1")
    tasks = list(make("arithmetic?digits=3").tasks[:60])
    file = tmp_path / "tasks.jsonl"
    file.write_text("".join(json.dumps({"id": t.id, "prompt": t.prompt, "answer": t.reference}) + "\n" for t in tasks))
    train, test = make(f"arithmetic?digits=1&train={file}").tasks.split()
    assert {task.id for task in train} == {task.id for task in tasks if not task.held_out(0.1)}
    assert len(train) < len(tasks)
    assert {task.id for task in test} == {task.id for task in own.tasks.split().test}


def test_worlds_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UsageError, match="no world of questions"):
        make("workshop?of=GuessNumber")
    with pytest.raises(UsageError, match="cannot show how"):
        make("workshop?of=synthesis&writes=evolution")
    with pytest.raises(UnknownNameError, match="series"):
        make("workshop?writes=serie")
