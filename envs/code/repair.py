"""Repair a broken program, with or without the trace of the first test that it fails."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from palaestra.envs.code.environment import CodeQuestions, code_judge, first_tests
from palaestra.envs.code.judge import Failure
from palaestra.envs.code.loading import code_tasks
from palaestra.envs.code.mutations import mutants
from palaestra.envs.code.problems import shipped_problems
from palaestra.envs.code.tracing import annotated
from palaestra.envs.errors import UsageError
from palaestra.envs.sandbox.inside.script import parse
from palaestra.envs.seeding import derive_generator
from palaestra.envs.task import Json, Task, TaskSet
from palaestra.envs.verdict import Verdict

__all__ = ["Repair", "repair_task", "repair_tasks"]

_TESTS_SHOWN = 3
_ASK = "Write the whole program as it should be."
UNUSED: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "merge_intervals": (6, 11, 17),
        "second_largest": (15,),
        "longest_run": (1,),
        "roman": (24, 33),
        "top_words": (5, 8),
        "fewest_coins": (5, 8, 17),
        "equal_halves": (8, 10),
        "islands": (19,),
        "caesar": (22,),
    }
)
"""Mutants of the shipped solutions, by problem and number, that pass every test or never end; the tests verify it."""


class Repair(CodeQuestions):
    """Mend a program that fails some of its tests.

    The observation is what the program should do, the program, and some of its tests; with `trace`, the program comes
    with the values of its variables in the first test that it fails, as comments (Ni et al. 2024, "NExT"), and that
    test. The reply is the whole program, in a code fence or bare. Reward as in `palaestra/Code-v0`: a reply that only
    repeats the broken program earns what that passes already, so the default pays for all tests or nothing.

    Args:
        path: File of rows as for `palaestra/Code-v0`, each with the field `broken`, a program. Without one, programs
            of our own with one small fault each.
        trace: Show the trace.
        size: How many of our own; there are no more than some hundreds.
        seed: Which of them.
        tries: How many replies an episode allows; after each, the first failing test is told.
        credit: `"all"` or `"share"`.
        tasks: Takes the place of `path`; made by `repair_task`.
        render_mode: None or `"ansi"`.

    Versions: v0.
    """

    def __init__(
        self,
        path: str | Path = "",
        *,
        trace: bool = False,
        size: int = 1_000,
        seed: int = 0,
        tries: int = 1,
        credit: str = "all",
        tasks: TaskSet | None = None,
        render_mode: str | None = None,
    ) -> None:
        if tasks is None:
            tasks = _from_file(path) if path else repair_tasks(size=size, seed=seed)
        super().__init__(tasks, code_judge(credit), tries=tries, render_mode=render_mode)
        self.trace = trace
        self._traced: dict[str, str] = {}

    def judgement(self, task: Task, reply: str) -> Verdict:
        """Run the reply as it stands: the prompt is not the head of a program, as it is elsewhere."""
        return super().judgement(_headless(task), reply)

    def shown(self, task: Task) -> Task | None:
        """Return the task with the tests that stand below the program, where they can be told apart."""
        return first_tests(task, _TESTS_SHOWN)

    def begin(self, task: Task) -> str:
        """Show the broken program."""
        prompt = super().begin(task)
        if not self.trace:
            return prompt
        # Running the program again would say the same; clones share what was found.
        if task.fingerprint not in self._traced:
            self._traced[task.fingerprint] = self._with_trace(task, prompt)
        return self._traced[task.fingerprint]

    def _with_trace(self, task: Task, prompt: str) -> str:
        broken = task.metadata.get("broken")
        if not isinstance(broken, str):
            return prompt
        failure = self.judge.examine(_headless(task), broken).failure
        if failure is None:
            return prompt
        about = (
            f"It fails this test:\n\ninput: {failure.input}\nexpected: {failure.expected}\nactual: {failure.actual}\n\n"
        )
        call = _call(task, broken, failure)
        if call is not None:
            prompt = prompt.replace(broken, annotated(broken, *call, self.judge.sandbox))
            about += "The comments give, step by step, the values that variables take in this test.\n\n"
        return f"{prompt.removesuffix(_ASK)}{about}{_ASK}"


def repair_tasks(*, size: int = 1_000, seed: int = 0) -> TaskSet:
    """Return up to `size` broken programs, each with one fault in a solution of a shipped problem.

    Every one is known to fail a test.
    """
    if size < 1:
        raise UsageError(f"size must be at least 1, got {size}.")
    known = _broken_programs()
    order = derive_generator(seed, "tasks", "repair").permutation(len(known))[:size]
    return TaskSet((known[i] for i in order), "repair")


@cache
def _broken_programs() -> tuple[Task, ...]:
    return tuple(task for problem in shipped_problems() for task in _broken(problem))


def _broken(problem: Task) -> Iterator[Task]:
    solution, reference = problem.metadata["solution"], problem.reference
    if not isinstance(solution, str) or not isinstance(reference, dict) or reference["format"] == "humaneval":
        return
    for number, mutant in enumerate(mutants(solution)):
        if number not in UNUSED.get(problem.id, ()):
            about: dict[str, Json] = {"line": mutant.line, "fault": mutant.fault, "solution": solution}
            yield repair_task(f"{problem.id}/{number}", problem.prompt, mutant.program, reference, about)


def repair_task(
    name: str, question: str, broken: str, reference: Json, metadata: Mapping[str, Json] = MappingProxyType({})
) -> Task:
    """Make a task of a broken program.

    Args:
        name: Its id.
        question: What the program should do; may be empty.
        broken: The program.
        reference: Its tests, as the code judge takes them.
        metadata: Anything else; `solution` is a right program.
    """
    about = f"{question}\n\n" if question else ""
    tests = "".join(f"\n{test}" for test in _tests(reference)[:_TESTS_SHOWN])
    prompt = f"{about}This program does not do what it should:\n\n```python\n{broken.rstrip()}\n```\n\n"
    prompt += f"Among its tests are:\n{tests}\n\n{_ASK}"
    return Task(name, prompt, reference, {**metadata, "broken": broken.rstrip()})


def _headless(task: Task) -> Task:
    reference = task.reference
    humaneval = isinstance(reference, dict) and reference.get("format") == "humaneval"
    return replace(task, prompt="") if humaneval else task


def _from_file(path: str | Path) -> TaskSet:
    tasks = []
    for task in code_tasks(path):
        broken = task.metadata.get("broken")
        if not isinstance(broken, str) or not broken.strip():
            raise UsageError(f"{path}: the task {task.id!r} has no field 'broken' with the program to repair. Add it.")
        tasks.append(repair_task(task.id, task.prompt, broken, task.reference, task.metadata))
    return TaskSet(tasks, str(path))


def _tests(reference: Any) -> Sequence[str]:
    """Return tests as a person writes them."""
    kind = reference["format"]
    if kind == "mbpp":
        return list(reference["asserts"])
    if kind == "stdio":
        return [f"input: {case['input']!r}\noutput: {case['output']!r}" for case in reference["cases"]]
    if kind == "calls":
        calls = [
            (f"{reference['entry_point']}({', '.join(map(repr, case['arguments']))})", case["expected"])
            for case in reference["cases"]
        ]
        return [call if "checker" in reference else f"{call} == {expected!r}" for call, expected in calls]
    return [line.strip() for line in reference["test"].splitlines() if line.strip().startswith("assert ")]


def _call(task: Task, program: str, failure: Failure) -> tuple[str, Sequence[Any]] | None:
    """Return the function and the arguments of a failing test; None where they cannot be read off the test."""
    reference: Any = task.reference
    if reference["format"] == "stdio":
        return "", [reference["cases"][failure.test]["input"]]
    if reference["format"] == "calls":
        return reference["entry_point"], reference["cases"][failure.test]["arguments"]
    if reference["format"] == "mbpp":
        return _literal_call(reference["asserts"][failure.test], program)
    found = _literal_call(failure.input, "")
    return (reference["entry_point"], found[1]) if found else None


def _literal_call(text: str, program: str) -> tuple[str, list[Any]] | None:
    """Return the first call in a text of a function that the program defines (of any, without one) with plain data."""
    try:
        defined = {node.name for node in parse(program).body if isinstance(node, ast.FunctionDef)}
        for node in ast.walk(parse(text)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
                name = node.func.id
                if name in defined or not program:
                    return name, [ast.literal_eval(argument) for argument in node.args]
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        pass
    return None
