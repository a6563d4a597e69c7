"""Mathematics in words, generated and from files."""

import json
from pathlib import Path

import pytest
from palaestra.envs.catalogue import make
from palaestra.envs.errors import BadRowError, UsageError
from palaestra.envs.math.environment import Math
from palaestra.envs.math.math_loading import math_tasks
from palaestra.envs.math.problems import LEVELS
from palaestra.envs.verdict import Status

GSM8K = [
    {"question": "Tom has 3 apples and buys 4. How many?", "answer": "He has 3 + 4 = 7.\n#### 7"},
    {"question": "What do 2,000 cost at $0.50?", "answer": "1,000.\n#### 1,000"},
]
MATH = [
    {
        "problem": r"Compute $\frac12 + \frac14$.",
        "solution": r"It is $\frac{2}{4} + \frac14 = \boxed{\frac{3}{4}}$.",
        "level": "Level 1",
        "type": "Prealgebra",
    },
    {
        "problem": "Solve $x^2 = 2$ for $x > 0$.",
        "solution": r"The root is $\boxed{\sqrt{2}}$.",
        "level": "Level 3",
        "type": "Algebra",
    },
    {
        "problem": "Where do they meet?",
        "solution": r"At $\boxed{(1, -2)}$.",
        "answer": "(1, -2)",
        "level": 3,
        "subject": "Geometry",
    },
]


def written(file: Path, rows: list[dict[str, object]]) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.fixture
def math_file(tmp_path: Path) -> Path:
    return written(tmp_path / "math.jsonl", MATH)  # type: ignore[arg-type]


def earned(env: Math, index: int, reply: str) -> float:
    env.reset(options={"task": env.tasks[index]})
    return env.step(reply)[1]


def test_every_generated_answer_scores_1_boxed_and_bare_and_the_next_tasks_answer_does_not() -> None:
    for level in LEVELS:
        env = Math(level=level, size=150)
        answers = [str(task.reference) for task in env.tasks]
        for index, task in enumerate(env.tasks):
            assert earned(env, index, *env.solution(task)) == 1.0, task
            assert earned(env, index, f"So the answer is ${answers[index]}$.") == 1.0, task
            other = answers[index - 1]
            assert earned(env, index, rf"\boxed{{{other}}}") == float(other == answers[index]), (task, other)


def test_files_shaped_like_gsm8k(tmp_path: Path) -> None:
    env = Math(written(tmp_path / "gsm8k.jsonl", GSM8K))  # type: ignore[arg-type]
    assert [task.reference for task in env.tasks] == ["7", "1000"]
    assert earned(env, 1, "That is 2,000 times half a dollar: $1,000.00") == 1.0
    assert earned(env, 0, "#### 8") == 0.0


def test_files_shaped_like_math(math_file: Path) -> None:
    env = Math(math_file)
    assert [task.reference for task in env.tasks] == [r"\frac{3}{4}", r"\sqrt{2}", "(1, -2)"]
    assert earned(env, 0, r"\boxed{0.75}") == 1.0
    assert earned(env, 1, r"$x = \boxed{2^{1/2}}$") == 1.0
    assert earned(env, 1, r"\boxed{1.4142}") == 0.0
    assert [earned(env, i, *env.solution(task)) for i, task in enumerate(env.tasks)] == [1.0, 1.0, 1.0]


def test_topics_and_levels_choose_rows_and_kinds(math_file: Path) -> None:
    assert [t.id for t in make(f"math?path={math_file}&level=3").tasks] == ["math/2", "math/3"]
    assert [t.id for t in make(f"math?path={math_file}&topics=geometry,Prealgebra").tasks] == ["math/1", "math/3"]
    with pytest.raises(UsageError, match="none of the 3 rows is of topic algebra and level 1"):
        make(f"math?path={math_file}&topics=algebra&level=1")
    generated = make("math?topics=words,number-theory&level=4&size=60").tasks
    assert {t.metadata["topic"] for t in generated} == {"words", "number-theory"}
    assert {t.metadata["level"] for t in generated} == {4}


def test_an_answer_that_the_judge_cannot_read_is_refused_or_left_out(tmp_path: Path) -> None:
    file = written(tmp_path / "rows.jsonl", [{"problem": "p", "answer": "3"}, {"problem": "q", "answer": "(" * 5_000}])
    with pytest.raises(BadRowError, match="line 2, field 'answer': the math judge cannot use this answer"):
        math_tasks(file)
    tasks, skipped = math_tasks(file, skip_bad_rows=True)
    assert [task.reference for task in tasks] == ["3"]
    assert [error.line for error in skipped] == [2]
    assert [error.line for error in Math(file, skip_bad_rows=True).skipped] == [2]


def test_a_solution_without_a_box_is_no_answer(tmp_path: Path) -> None:
    with pytest.raises(BadRowError, match="field 'answer': missing"):
        math_tasks(written(tmp_path / "rows.jsonl", [{"problem": "p", "solution": "It is 3."}]))


def test_a_second_try_comes_without_the_answer() -> None:
    env = Math(size=20, tries=2)
    task = env.tasks[0]
    env.reset(options={"task": task})
    said, reward, over, *_ = env.step(r"\boxed{123456}")
    assert (reward, over) == (0.0, False)
    assert str(task.reference) not in said
    *_, info = env.step(*env.solution(task))
    assert info["verdict"].status is Status.CORRECT
