"""Suites as files: what they mean, and what is said of mistakes in them."""

from dataclasses import replace
from pathlib import Path

import pytest
from palaestra.envs import catalogue
from palaestra.envs.errors import UsageError
from palaestra.evolution.benchmark.suite import Course, Entrant, tasks_of
from palaestra.evolution.benchmark.suite_file import find_suite, own_suites, read_suite

WHOLE = """
name = "mine"
tasks = 50
seeds = [3, 4]
[sampling]
max_tokens = 32
[[policies]]
spec = "scripted:oracle"
[[policies]]
name = "guesser"
spec = "scripted:random"
sampling = { temperature = 0.5 }
[[environments]]
spec = "palaestra/Arithmetic-v0"
options = { digits = 1, operations = "+-" }
attempts = 2
sampling = { top_p = 0.9 }
[[environments]]
name = "seen"
spec = "countdown"
split = "train"
tasks = 5
"""


def read(tmp_path: Path, text: str):
    path = tmp_path / "s.toml"
    path.write_text(text)
    return read_suite(path)


def test_what_a_file_says_is_inherited_and_overridden(tmp_path: Path) -> None:
    suite = read(tmp_path, WHOLE)
    sums, seen = suite.courses
    assert [entrant.name for entrant in suite.entrants] == ["scripted:oracle", "guesser"]
    assert sums.spec == "palaestra/Arithmetic-v0?digits=1&operations=+-"
    assert (sums.tasks, sums.seeds, sums.attempts, sums.split, sums.tries) == (50, (3, 4), 2, "held-out", 4)
    assert (seen.tasks, seen.split, seen.attempts) == (5, "train", 1)
    oracle, guesser = suite.entrants
    # Several attempts are sampled and one is greedy, unless somebody says otherwise.
    assert sums.sampled(oracle) == {"temperature": 1.0, "max_tokens": 32, "top_p": 0.9}
    assert seen.sampled(oracle) == {"temperature": 0.0, "max_tokens": 32}
    assert seen.sampled(guesser)["temperature"] == 0.5
    # Comments and the place of the file change nothing that is measured.
    (tmp_path / "t.toml").write_text('comment = "new"\n' + WHOLE)
    assert read_suite(tmp_path / "t.toml").digest == suite.digest
    assert read(tmp_path, WHOLE.replace("attempts = 2", "attempts = 3")).digest != suite.digest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[[environments]]\nspec = "a"\nattempts = "8"',
            "line 3, environments[1].attempts: '8' came, expected a whole",
        ),
        ('[[environments]]\nspec = "a"\natempts = 8', "Did you mean 'attempts'? It stands in {}, line 3"),
        ('[[environments]]\nspec = "a"\n[[environments]]\nname = "b"', "line 3, environments[2]: no 'spec' came"),
        ('x = 1\n[[environments]]\nspec = "a"', "Unknown key 'x'"),
        ('seeds = [1, 1]\n[[environments]]\nspec = "a"', "line 1, seeds: [1, 1] came, expected each seed once"),
        ('[sampling]\ntemperature = -1\n[[environments]]\nspec = "a"', "line 2, sampling.temperature: -1 came"),
        ('[[environments]]\nspec = "a"\nsplit = "test"', "'test' came, expected 'held-out', or 'train'"),
        ('[[environments]]\nspec = "a"\n[[environments]]\nspec = "a"', "environments[2].name: 'a' came a second time"),
        ('name = "a/b"\n[[environments]]\nspec = "a"', "which also name a folder"),
        ("tasks = true", "line 1, tasks: True came, expected a whole number from 1"),
        ("tasks = 3", "measures nowhere"),
        ("environments = 3", "line 1, environments: 3 came, expected tables that begin with [[environments]]"),
        ("tasks = ", "is no TOML"),
        ('[[environments]]\nspec = "a"\noptions = { b = [1] }', "expected a table of numbers, texts"),
    ],
)
def test_a_mistake_is_answered_by_where_what_and_what_instead(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        read(tmp_path, text)
    assert said.format(tmp_path / "s.toml") in str(error.value)
    assert "s.toml" in str(error.value)


def test_our_suites_have_their_worlds_and_tasks() -> None:
    suites = own_suites()
    assert {"laptop", "mathematics", "programs", "smoke"} <= set(suites)
    for name, suite in suites.items():
        assert suite.name == name
        assert suite.comment
        for course in suite.courses:
            tasks = tasks_of(course, catalogue.make(course.spec))
            assert all(task.held_out(0.1) for task in tasks)
            assert len({task.id for task in tasks}) == len(tasks) > 0


def test_words_that_are_no_suite_are_left_to_others(tmp_path: Path) -> None:
    assert find_suite("arithmetic") is None
    assert find_suite("palaestra/Arithmetic-v0?digits=3") is None
    with pytest.raises(UsageError, match=r"cannot be read: No such file.*laptop"):
        find_suite(str(tmp_path / "none.toml"))


def test_tasks_are_those_of_the_split_or_those_that_are_named() -> None:
    env = catalogue.make("arithmetic")
    held_out = tasks_of(Course("a", "arithmetic", tasks=30), env)
    trained = tasks_of(Course("a", "arithmetic", tasks=30, split="train"), env)
    assert all(task.held_out(0.1) for task in held_out)
    assert not any(task.held_out(0.1) for task in trained)
    # All seeds after the first play the same tasks.
    assert tasks_of(Course("a", "arithmetic", tasks=30, seeds=(0, 7)), env) == held_out
    assert tasks_of(Course("a", "arithmetic", tasks=30, seeds=(7,)), env) != held_out
    named = held_out[3].id
    assert tasks_of(Course("a", "arithmetic", ids=(named,)), env) == [held_out[3]]
    with pytest.raises(UsageError, match="has no task"):
        tasks_of(Course("a", "arithmetic", ids=(trained[0].id,)), env)
    assert Entrant("a", "b").sampling == {}


def test_all_tasks_are_taken_of_what_has_an_end(tmp_path: Path) -> None:
    (tmp_path / "f.jsonl").write_text("".join(f'{{"prompt": "{n} + 1", "answer": {n + 1}}}\n' for n in range(300)))
    spec = f"Question?path={tmp_path / 'f.jsonl'}"
    suite = read(tmp_path, f'tasks = "all"\n[[environments]]\nspec = "{spec}"\n[[environments]]\nspec = "arithmetic"')
    whole, endless = suite.courses
    world = catalogue.make(spec)
    assert tasks_of(whole, world) == list(world.tasks.split().test)
    assert tasks_of(replace(whole, split="train"), world) == list(world.tasks.split().train)
    with pytest.raises(UsageError, match=r"all.*arithmetic, which makes tasks without end and stopped at 10,000"):
        tasks_of(endless, catalogue.make("arithmetic?operands=3"))
    (tmp_path / "g.jsonl").write_text('{"prompt": "1 + 1", "answer": 2}\n')
    one = catalogue.make(f"Question?path={tmp_path / 'g.jsonl'}")
    empty = "train" if one.tasks[0].held_out(0.1) else "held-out"
    with pytest.raises(UsageError, match=f"no task on the side '{empty}'"):
        tasks_of(replace(whole, split=empty), one)


@pytest.mark.parametrize(
    ("spec", "endless"),
    [
        ("arithmetic?digits=1", False),
        ("arithmetic?digits=2&size=100", True),
        ("arithmetic?digits=6", True),
        ("GuessNumber", False),
        ("countdown?size=50", True),
        ("verify?size=50", True),
        ("FrozenLake-v1", True),
        ("graph?size=20", True),
    ],
)
def test_what_has_an_end_is_known(spec: str, endless: bool) -> None:
    tasks = catalogue.make(spec).tasks
    assert tasks.endless is tasks.split().test.endless is tasks[:3].endless is endless
