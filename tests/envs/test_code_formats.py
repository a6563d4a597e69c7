"""References of programming tasks: read strictly, refused with words that say what is wrong."""

from typing import Any

import pytest
from palaestra.envs.code.formats import CallCase, Calls, HumanEval, Mbpp, Stdio, StdioCase, format_of, read
from palaestra.envs.errors import UsageError
from palaestra.envs.task import Task

CASE = {"arguments": [1, [2]], "expected": None}
CALLS: dict[str, Any] = {"format": "calls", "entry_point": "f", "cases": [CASE]}
STDIO: dict[str, Any] = {"format": "stdio", "cases": [{"input": "", "output": ""}]}
HUMANEVAL: dict[str, Any] = {"format": "humaneval", "test": "def check(c): assert c()", "entry_point": "f"}
MBPP: dict[str, Any] = {"format": "mbpp", "asserts": ["assert f(1)"], "setup": ""}


def test_every_format_is_read() -> None:
    assert read(HUMANEVAL) == HumanEval("def check(c): assert c()", "f")
    assert read(MBPP) == read({"format": "mbpp", "asserts": ("assert f(1)",)}) == Mbpp(("assert f(1)",), "")
    assert read({**STDIO, "checker": "c"}) == Stdio((StdioCase("", ""),), "c")
    assert read(CALLS) == Calls("f", (CallCase((1, [2]), None),))
    dotted = read({**CALLS, "entry_point": "Solution.solve", "checker": None})
    assert isinstance(dotted, Calls)
    assert (dotted.entry_point, dotted.checker) == ("Solution.solve", "")


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        (None, "an object with a field 'format'"),
        ("assert f(1)", "an object with a field 'format'"),
        ({"asserts": []}, "an object with a field 'format'"),
        ({"format": "humanevla"}, "Did you mean 'humaneval'"),
        ({"format": ["calls"]}, "Unknown reference format"),
        ({"format": "humaneval", "entry_point": "f"}, "'test' must be given, it is missing"),
        ({**HUMANEVAL, "test": 5}, "'test' must be text, got 5"),
        ({**HUMANEVAL, "test": " \n"}, "'test' must be text that is not blank"),
        ({**HUMANEVAL, "entry_point": "f(x)"}, "'entry_point' must be a function's name, got 'f"),
        ({**HUMANEVAL, "entry_point": "A.f"}, "'entry_point' must be a function's name"),
        ({**HUMANEVAL, "entry_point": "class"}, "'entry_point' must be a function's name"),
        ({**HUMANEVAL, "asserts": []}, "unknown field 'asserts'"),
        ({**MBPP, "asserts": []}, "'asserts' must be a list of at least one assertion"),
        ({**MBPP, "asserts": "assert f(1)"}, "'asserts' must be a list"),
        ({**MBPP, "asserts": ["assert f(1)", " "]}, "texts that are not blank"),
        ({**MBPP, "setup": 1}, "'setup' must be text"),
        ({**STDIO, "cases": []}, "'cases' must be a list of at least one case"),
        ({**STDIO, "cases": ["1"]}, "case 1 of the reference must be an object"),
        ({**STDIO, "cases": [{"input": "1", "output": 1}]}, "case 1 of the reference: field 'output' must be text"),
        ({**STDIO, "cases": [{"input": "1", "output": "", "x": 1}]}, "unknown field 'x'"),
        ({**CALLS, "cases": [CASE, {"arguments": [1]}]}, "case 2 of the reference: field 'expected' must be given"),
        ({**CALLS, "cases": [{"arguments": "ab", "expected": 1}]}, "a list of positional arguments, got 'ab'"),
        ({**CALLS, "entry_point": "a.b.c"}, "a function's name, or Class.method"),
        ({**CALLS, "checker": 5}, "'checker' must be text"),
    ],
)
def test_a_broken_reference_says_what_is_wrong(reference: Any, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(reference)
    assert words in str(caught.value)


def test_a_format_is_read_once_for_all_copies_of_a_task() -> None:
    assert format_of(Task("a", "p", CALLS)) is format_of(Task("b", "p", dict(CALLS), {"more": 1}))
    assert format_of(Task("a", "p", CALLS)) is not format_of(Task("a", "q", CALLS))
