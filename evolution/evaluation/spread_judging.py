"""Judge on many machines: replies go out in chunks, as tasks of Ray; verdicts come back in order.

A task whose process or machine is lost is judged again, elsewhere if need be. If it is lost again and again, each of
its replies is judged alone, so that one which kills whoever judges it takes no other with it; a reply that is lost
alone too gets a verdict of status INFRASTRUCTURE and is no reward.
"""

import atexit
import pickle
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache
from itertools import islice
from typing import Any, NamedTuple

from palaestra.agents.spread.cluster import connect, load_ray, room
from palaestra.agents.spread.plain import plain_errors
from palaestra.agents.spread.settings import parse_spread
from palaestra.envs.verdict import Status, Verdict
from palaestra.evolution.evaluation.judges import Judges, Needs, open_judges
from palaestra.evolution.evaluation.judging import Judged, Judgement, Reply, judge_in_order

__all__ = ["spread_judging"]

# Large enough that sending it costs little beside judging it, small enough that the last ones end together.
_CHUNK = 32
_CHUNK_CHARS = 4_000_000
# One chunk is judged and the next is at hand.
_CHUNKS_PER_PLACE = 2
# One slow chunk holds back the verdicts after it, not the judging: so many may wait for it.
_WINDOW = 256
_RETRIES = 2


@contextmanager
def spread_judging(needs: Needs, spec: str) -> Iterator[Callable[[Iterable[Reply]], Iterator[Judged]]]:
    """Yield what judges a stream of replies on a cluster, in order.

    Args:
        needs: What each task's judges are asked for; without `workers` they have as many as a task has processors.
        spec: Of the cluster, such as `ray?address=10.0.0.1:6379&cpus=4`, the processors being those of one task.

    Raises:
        UsageError: If the spec is none, Ray is not installed, or nobody is at the address.
    """
    spread = parse_spread(spec, ("address", "cpus"))
    if needs.workers is None:
        needs = replace(needs, workers=max(1, int(spread.cpus)))
    begun = connect(spread.address)
    ray = load_ray()
    try:
        task = ray.remote(_judge_chunk).options(
            num_cpus=spread.cpus, scheduling_strategy="SPREAD", max_retries=_RETRIES, retry_exceptions=False
        )
        most = _CHUNKS_PER_PLACE * room(spread.cpus, 0)
        yield lambda replies: _in_order(replies, lambda chunk: task.remote(needs, chunk), most)
    finally:
        if begun:
            ray.shutdown()


class _Sent(NamedTuple):
    """A chunk on its way."""

    chunk: list[Reply]
    answer: Any


def _in_order(replies: Iterable[Reply], send: Callable[[list[Reply]], Any], most: int) -> Iterator[Judged]:
    wait = load_ray().wait
    waiting: deque[_Sent] = deque()
    for chunk in _chunks(iter(replies)):
        waiting.append(_Sent(chunk, send(chunk)))
        while waiting:
            _, under_way = wait([sent.answer for sent in waiting], num_returns=len(waiting), timeout=0)
            if waiting[0].answer not in under_way or len(waiting) >= _WINDOW:
                yield from _taken(waiting.popleft(), send)
            elif len(under_way) >= most:
                wait(under_way, num_returns=1)
            else:
                break
    while waiting:
        yield from _taken(waiting.popleft(), send)


def _chunks(replies: Iterator[Reply]) -> Iterator[list[Reply]]:
    while chunk := list(islice(replies, 1)):
        chars = len(chunk[0].text)
        while len(chunk) < _CHUNK and chars < _CHUNK_CHARS and (more := next(replies, None)) is not None:
            chunk.append(more)
            chars += len(more.text)
        yield chunk


def _taken(sent: _Sent, send: Callable[[list[Reply]], Any]) -> list[Judged]:
    errors = load_ray().exceptions
    try:
        answer: list[Judged] = pickle.loads(load_ray().get(sent.answer))
        return answer
    except errors.RayTaskError as error:
        raise (error.cause if isinstance(error.cause, Exception) else error) from error
    except errors.RayError as error:
        if len(sent.chunk) > 1:
            alone = [_Sent([reply], send([reply])) for reply in sent.chunk]
            return [judged for one in alone for judged in _taken(one, send)]
        why = f"whoever judged this was lost {_RETRIES + 1} times: {type(error).__name__}"
        (reply,) = sent.chunk
        return [Judged(reply.line, reply.task.id, Judgement(Verdict(0.0, Status.INFRASTRUCTURE, why), 0.0))]


def _judge_chunk(needs: Needs, chunk: list[Reply]) -> bytes:
    """Judge in a process of Ray's."""
    with plain_errors():
        judges = _judges_here(needs)
    return pickle.dumps(list(judge_in_order(chunk, judges.judge, judges.threads)))


@cache
def _judges_here(needs: Needs) -> Judges:
    """Return the judges of this process: a process judges many chunks, and its judges end with it."""
    opened = ExitStack()
    atexit.register(opened.close)
    return opened.enter_context(open_judges(needs))
