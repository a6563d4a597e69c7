"""Programs found in replies, at a cost that does not depend on who wrote them."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from palaestra.envs.code.loading import code_tasks
from palaestra.envs.code.program import head_of, program_of, source_of
from palaestra.envs.task import Task

HEAD = "import math\n\n\ndef helper(x):\n    return x\n\n\n"
PROMPT = HEAD + 'def f(x: int) -> int:\n    """Return x plus one."""\n'
HUMANEVAL = Task("h", PROMPT, {"format": "humaneval", "test": "def check(c): assert c(1) == 2", "entry_point": "f"})
MBPP = Task(
    "m", "Add.", {"format": "mbpp", "asserts": ["assert add(1, 2) == 3", "assert set(add(1, 2)) == 3"], "setup": ""}
)
CALLS = Task(
    "c",
    "Solve.",
    {"format": "calls", "entry_point": "Solution.solve", "cases": [{"arguments": [], "expected": 1}]},
)
STDIO = Task("s", "Print.", {"format": "stdio", "cases": [{"input": "", "output": ""}]})
WHOLE = "def f(x):\n    return x + 1\n"
ADD = "def add(a, b):\n    return a + b\n"


@pytest.mark.parametrize(
    "completion",
    [
        "    return x + 1\n",
        "    return x + 1",
        "\n\n    # One more.\n    return x + 1\n",
        "# At the margin.\n    return x + 1\n",
        "return x + 1\n",
        "    return x + 1\n\n\ndef f(x):\n    return 0\n",
        "\treturn x + 1\n",
        '    """\n```python\n"""\n    return x + 1\n',
        "    return x + 1\n```\n\nThis adds one.\n",
        "    return '''\ndef f(x):\n'''\n",
        "    # Nothing but a comment.\n    ...\n",
    ],
)
def test_a_completion_follows_the_prompt_character_for_character(completion: str) -> None:
    assert program_of(HUMANEVAL, completion) == PROMPT + completion


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (WHOLE, WHOLE),
        ("# Here.\n" + WHOLE, "# Here.\n" + WHOLE),
        (f"Sure!\n\n```python\n{WHOLE}```\nThat is all.", WHOLE),
        (f" Sure!\n```\n{WHOLE}```", WHOLE),
        (f"```py\n{WHOLE}", WHOLE),
        (f"~~~python\n{WHOLE}~~~\n", WHOLE),
        ("```python\r\n" + WHOLE.replace("\n", "\r\n") + "```\r\n", WHOLE.replace("\n", "\r\n")),
        ("- so:\n  ```python\n  def f(x):\n      return x + 1\n  ```\n", WHOLE),
        ("f = lambda x: x + 1\n", "f = lambda x: x + 1\n"),
        ("class f:\n    pass\n", "class f:\n    pass\n"),
    ],
)
def test_a_whole_function_follows_what_the_prompt_defines_before_it(reply: str, code: str) -> None:
    assert program_of(HUMANEVAL, reply) == HEAD + code


def test_a_fenced_body_follows_the_prompt() -> None:
    assert program_of(HUMANEVAL, "```python\n    return x + 1\n```\n") == PROMPT + "    return x + 1\n"


def test_the_head_ends_before_the_last_definition() -> None:
    assert head_of("def f():\n    pass\n\n\nimport re\n\ndef f(x):\n", "f") == "def f():\n    pass\n\n\nimport re\n\n"
    assert head_of("def ff():\n    def f(): pass\n", "f") == ""


def test_imports_from_the_future_come_first_and_line_numbers_are_the_replys() -> None:
    future = "from __future__ import annotations"
    program = source_of(HUMANEVAL, f"{future}\n{WHOLE}")
    assert program.source.startswith(future + "\n" + HEAD)
    compile(program.source, "p", "exec")
    lines = program.source.splitlines()
    assert lines[program.before + 1] == "def f(x):"  # the second line of the reply


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (f"```python\n{ADD}```\nNow run it:\n```python\nprint(add(1, 2))\n```\n", ADD),
        (f"```python\nold\n```\n```python\n{ADD}```\n```\n3\n```\n", ADD),
        (f"```python\nx = 1\n```\n```\n{ADD}```\n", ADD),
        ("```python\nx = 1\n```\n```text\n3\n```\n", "x = 1\n"),
        ("```python\nx = 1\n```\n```\n3\n```\n", "x = 1\n"),
        ("```\nx = 1\n```\n```bash\nls\n```\n", "x = 1\n"),
        ("```cpp\nint x;\n```\n", "int x;\n"),
        (f"```python\n```\n```python\n{ADD}```", ADD),
        ("````python\nx = '''\n```\n'''\n````\n", "x = '''\n```\n'''\n"),
        (ADD, ADD),
        ("add = lambda a, b: a + b", "add = lambda a, b: a + b"),
        ("from operator import add", "from operator import add"),
    ],
)
def test_the_block_that_defines_the_function_is_taken(reply: str, code: str) -> None:
    assert program_of(MBPP, reply) == code


def test_the_setup_of_mbpp_comes_first() -> None:
    reference = {"format": "mbpp", "asserts": ["assert add(1, 2) == 3"], "setup": "import math"}
    assert program_of(Task("m", "Add.", reference), ADD) == "import math\n" + ADD


def test_a_method_is_found_by_its_class() -> None:
    solution = "class Solution:\n    def solve(self):\n        return 1\n"
    assert program_of(CALLS, f"```python\n{solution}```\n```python\nSolution().solve()\n```\n") == solution


@pytest.mark.parametrize(
    "reply",
    [
        "print(3)",
        "print( 1,\n 2)\n",
        "pass",
        "x, y = 1, 2",
        "while True:\n    break",
        "for x in 'ab': print(x)",
        "a[0] += 1",
    ],
)
def test_short_programs_are_programs(reply: str) -> None:
    assert program_of(STDIO, reply) == reply


@pytest.mark.parametrize("task", [HUMANEVAL, MBPP, CALLS, STDIO])
@pytest.mark.parametrize(
    "reply",
    ["", " \n\t\n", "I do not know.", "All tests pass: it is right.", "```python\n```\n", "```\n\n```"],
)
def test_where_there_is_no_code_there_is_no_program(task: Task, reply: str) -> None:
    assert program_of(task, reply) == ""


@given(st.text(max_size=300))
def test_any_text_is_searched(reply: str) -> None:
    for task in (HUMANEVAL, MBPP, CALLS, STDIO):
        assert isinstance(program_of(task, reply), str)


MILLION = 1_000_000


@pytest.mark.parametrize(
    "reply",
    [
        "```\n" * (MILLION // 4),
        "```python\nx\n```\n" * (MILLION // 16),
        "\n" * MILLION,
        " " * MILLION,
        " \n" * (MILLION // 2),
        "a" + " " * MILLION,
        "`" * MILLION,
        "a[" * (MILLION // 2),
        "a, " * (MILLION // 3),
        ("x: " + "a " * 90 + "\n") * (MILLION // 200),
        ("f(" + ") " * 90 + "x\n") * (MILLION // 200),
        ("for " + ": " * 90 + "x\n") * (MILLION // 200),
        ("for " + "x in " * 39 + "x\n") * (MILLION // 200),
        "def f" * (MILLION // 5),
        "from __future__ import a\n" * (MILLION // 25),
        "#\n" * (MILLION // 2),
        "(" * MILLION,
    ],
)
def test_a_megabyte_takes_no_more_than_a_second(reply: str) -> None:
    began = time.process_time()
    for task in (HUMANEVAL, MBPP, STDIO):
        program_of(task, reply)
    assert time.process_time() - began < 3.0


def test_human_evals_own_samples_are_prompt_and_completion() -> None:
    for task in code_tasks("human-eval"):
        completion = str(task.metadata["solution"])
        assert program_of(task, completion) == task.prompt + completion
