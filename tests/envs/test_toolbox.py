"""Tools that nobody explained: what a task hides, what is right, and what raises a newborn to use a library."""

import re
from itertools import product

import numpy as np
import pytest
from palaestra.envs import make
from palaestra.envs.code.toolbox import OPERATIONS, TOOLS, toolbox
from palaestra.envs.errors import UsageError
from palaestra.envs.task import HELD_OUT_SHARE
from palaestra.envs.verdict import Status

_DEFINITION = re.compile(r"^def ([a-z]{2})\(x\): return (.+)$", re.MULTILINE)


def replies(task, book):
    """The program of a task, with the operations of some box."""
    return _DEFINITION.sub(lambda found: f"def {found[1]}(x): return {book[found[1]]}", task.metadata["solution"])


def expression(prompt):
    return prompt.rpartition(" f(x) = ")[2]


def test_each_box_gives_each_tool_an_operation_of_its_own():
    boxes = [toolbox(box) for box in (1, 2, 3)]
    assert all(sorted(box.values()) == sorted(OPERATIONS) for box in boxes)
    assert len({tuple(box.items()) for box in boxes}) == 3
    assert toolbox(1) == boxes[0]


def test_a_prompt_tells_nothing_of_its_tools_and_there_is_enough_to_hold_out():
    env = make("toolbox?box=1")
    assert len(env.tasks) > 1_000
    assert not any(re.search(r"\d|def |abs", task.prompt) for task in env.tasks)
    held_out = [task for task in env.tasks if task.held_out(HELD_OUT_SHARE)]
    assert len(held_out) > 100
    assert {task.metadata["tools"] for task in held_out} == {1, 2, 3}
    # The tools of each that is held out are met in others.
    met = {tool for task in env.tasks if not task.held_out(HELD_OUT_SHARE) for tool in TOOLS if tool in task.prompt}
    assert met == set(TOOLS)


def test_no_other_choice_of_operations_is_right():
    env = make("toolbox?box=2&size=60")
    book = toolbox(2)
    for task in [next(task for task in env.tasks if task.metadata["tools"] == count) for count in (1, 2)]:
        tools = [tool for tool in TOOLS if f"{tool}(" in task.prompt]
        right = []
        for choice in product(OPERATIONS, repeat=len(tools)):
            names = {}
            exec(replies(task, dict(zip(tools, choice, strict=True))), names)
            cases = task.reference["cases"]
            if all(names["f"](*case["arguments"]) == case["expected"] for case in cases):
                right.append(choice)
        assert right == [tuple(book[tool] for tool in tools)]


def test_the_sandbox_judges_whole_programs():
    env = make("toolbox?box=1&tries=2")
    task = next(task for task in env.tasks if task.metadata["tools"] == 2)
    right, other = replies(task, toolbox(1)), replies(task, toolbox(2))
    assert right == task.metadata["solution"]
    assert env.judgement(task, right).status is Status.CORRECT
    assert env.judgement(task, f"```python\n{right}\n```").status is Status.CORRECT
    assert env.judgement(task, right.splitlines()[-1]).reward == 0.0, "the tools are not there by themselves"
    env.reset(options={"task": task})
    said, reward, over, *_ = env.step(other)
    assert (reward, over) == (0.0, False)
    assert re.search(r"The first that failed:\ninput: .+\nexpected: .+\nactual: ", said)
    assert env.step(right)[1] == 1.0


def test_a_guess_is_a_program_of_the_task():
    env = make("toolbox?box=1")
    env.reset(seed=0)
    guesses = {env.sample_action(np.random.default_rng(seed)) for seed in range(20)}
    assert len(guesses) > 10
    assert all(guess.endswith(expression(env.task.prompt)) for guess in guesses)


def test_a_newborn_is_raised_on_tasks_that_follow_from_what_is_told():
    env = make("toolbox")
    assert env.mastered
    assert not make("toolbox?box=1").mastered
    untold, crowded = 0, 0
    for task in env.tasks[:600]:
        told, needed = dict(_DEFINITION.findall(task.prompt)), dict(_DEFINITION.findall(task.metadata["solution"]))
        assert env.follows(task) is (needed.keys() <= told.keys())
        untold += not env.follows(task)
        crowded += len(told.keys() - needed.keys()) > 2
        assert all(told[tool] == needed[tool] for tool in needed.keys() & told.keys())
        assert task.prompt.count("Define in Python") <= 6
        assert expression(task.prompt) == task.metadata["solution"].rpartition("return ")[2]
    assert 100 < untold < 240
    assert crowded > 150, "some of what is told is of no use"
    prompts = [task.prompt for task in env.tasks]
    assert len(set(prompts)) == len(prompts), "nothing has two answers"


@pytest.mark.parametrize("setting", ["box=-1", "size=0", "credit=some"])
def test_settings_out_of_range_are_refused(setting):
    with pytest.raises(UsageError):
        make(f"toolbox?{setting}")
