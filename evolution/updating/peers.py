"""The processes that train one policy together, as `accelerate launch` started them.

Every process holds all weights and the optimiser, or a part of each (see `division`). Of an optimiser step each takes
some of the rows; gradients are summed, and all take the same step. Parts of a loss are shares of the whole (see
`driver.Part`), so a sum over processes is the sum over parts that one process alone would make, however unequal the
shares are; what an average over processes (`DistributedDataParallel`) averages would have to be made equal first. What
may fail happens between two meetings, and at the next one each says how it fared, so that nobody waits for one who has
failed.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from types import TracebackType
from typing import Any, Self, TypeAlias, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from palaestra.envs.errors import DivergenceError, PeerError, UsageError
from palaestra.evolution.updating import division, zero
from palaestra.evolution.updating.division import Division

__all__ = ["STEP_LIMIT", "Fingerprint", "Peers", "fingerprint", "launched", "leads", "refuse_peers"]

Fingerprint: TypeAlias = tuple[tuple[int, int], ...]
"""Two sums over the bits of each trained weight."""

STEP_LIMIT = timedelta(minutes=10)
"""How long processes wait for each other within a step; then all of them end."""

# Between steps the first process plays and measures, which may take any time; a process that ends is noticed at once.
_BETWEEN_STEPS = timedelta(days=30)
# As torch's launcher and those of MPI say it.
_SIZES = ("WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE")
_RANKS = ("RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK")
# Numbers of one sum between processes: large enough to fill a line, small beside a model.
_BUCKET = 2**24
_CHUNK = 2**22
# What torch's backends say, in small letters, when a process they wait for is gone.
_SIGNS_OF_LOSS = ("connection closed", "connection reset", "broken pipe", "timed out", "timeout", "gloo", "nccl")

_T = TypeVar("_T")


def launched() -> int:
    """Return how many processes this one was launched as one of.

    Raises:
        UsageError: If a launcher's variable holds no number.
    """
    return max(_number(name, 1) for name in _SIZES)


def leads() -> bool:
    """Whether this process is alone, or the first of those it was launched with."""
    return launched() < 2 or max(_number(name, 0) for name in _RANKS) == 0


def _number(name: str, otherwise: int) -> int:
    """Return what a launcher says in the environment."""
    said = os.environ.get(name) or str(otherwise)
    try:
        return int(said)
    except ValueError:
        raise UsageError(
            f"The environment variable {name} is {said!r} where a launcher of several processes says a whole number. "
            "Unset it to train in one process, or start several with accelerate launch."
        ) from None


class Peers:
    """This process and the others; a context manager that leaves them. Made by `join`, else a process alone.

    Attributes:
        size: How many processes.
        rank: Number of this one; 0 leads.
        division: How they divide the weights; None where each holds all.
        zero: What DeepSpeed's engine is told, if that sums gradients and takes the steps; see `zero`.
    """

    division: Division | None = None
    zero: Mapping[str, Any] | None = None

    def __init__(self, size: int = 1, rank: int = 0) -> None:
        self.size, self.rank = size, rank
        self._owned = False
        self._hiding = ExitStack()
        self._between: Any = None
        self._within: Any = None

    @classmethod
    def join(cls) -> "Peers":
        """Meet the processes that a launcher started with this one; without a launcher this one is alone.

        Raises:
            UsageError: If accelerate was configured to divide the weights in a way that is not supported.
            PeerError: If the others do not come.
        """
        if launched() < 2:
            return cls()
        divides, engine = division.wants_division(), zero.configured()
        from accelerate import PartialState

        hiding = ExitStack()
        hiding.enter_context(_hidden(zero.ASKED))
        owned = not dist.is_initialized()
        with _named():
            state = PartialState(cpu=not torch.cuda.is_available(), timeout=STEP_LIMIT)
            peers = cls(state.num_processes, state.process_index)
            peers._owned, peers._hiding, peers.zero = owned, hiding, engine
            # Words go over the processors, also where sums go over GPUs.
            peers._between = dist.new_group(backend="gloo", timeout=_BETWEEN_STEPS)
            peers._within = dist.new_group(backend="gloo", timeout=STEP_LIMIT)
        if divides:
            peers.division = Division()
            hiding.enter_context(_hidden(division.ASKED))
        return peers

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave; others that still wait for this process are told by the closed connection."""
        self._hiding.close()
        if self.size > 1 and self._owned:
            from accelerate.state import AcceleratorState

            self._owned = False
            dist.destroy_process_group()
            AcceleratorState._reset_state(reset_partial_state=True)

    @property
    def leads(self) -> bool:
        """Whether this process plays, records, measures and shows."""
        return self.rank == 0

    @property
    def in_step(self) -> bool:
        """Whether running a part takes all processes, so that each must run as many."""
        return self.division is not None or self.zero is not None

    def own(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return this process's rows: neighbours stay together, since they share prompts."""
        return np.array_split(rows, self.size)[self.rank]

    def tell(self, message: object) -> None:
        """Say something to all others, who `hear` it; only the first process does."""
        self._broadcast(message)

    def hear(self) -> Any:
        """Wait, for as long as it takes, for what the first process tells."""
        return self._broadcast(None)

    def _broadcast(self, message: object) -> Any:
        if self.size == 1:
            return message
        said = [message]
        with _named():
            dist.broadcast_object_list(said, src=0, group=self._between)
        return said[0]

    def collect(self, value: _T) -> list[_T]:
        """Return every process's value, in order; all of them call it."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        with _named():
            dist.all_gather_object(values, value, group=self._within)
        return values

    @contextmanager
    def as_one(self) -> Iterator[None]:
        """Do work that needs no others; if it fails in one process, it fails in all.

        Raises:
            PeerError: In a process whose own work went well; it bears the words of the one whose did not.
        """
        if self.size == 1:
            yield
            return
        failure: Exception | None = None
        try:
            yield
        except PeerError:
            raise
        except Exception as error:
            failure = error
        words = self.collect(f"{type(failure).__name__}: {failure}" if failure is not None else None)
        if failure is not None:
            raise failure
        for rank, said in enumerate(words):
            if said is not None:
                raise PeerError(f"Process {rank} of {self.size} that train together failed and all stop: {said}")

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run parts through the model: work that needs no others where each process holds all weights.

        Where they run in step, a process that fails cannot say so, since the others wait for its part: it ends, and
        they are told by the closed connection.

        Raises:
            PeerError: If another process failed or has ended.
        """
        if not self.in_step:
            with self.as_one():
                yield
            return
        try:
            yield
        except RuntimeError as error:
            if not any(sign in str(error).lower() for sign in _SIGNS_OF_LOSS):
                raise
            raise _gone(error) from error

    def sum_gradients(self, weights: Sequence[torch.nn.Parameter]) -> None:
        """Give every process the sum of all processes' gradients; a weight that nobody has one of stays without."""
        if self.size == 1 or self.in_step:  # where they are summed as they are made
            return
        held = self.collect([weight.grad is not None for weight in weights])
        summed = [weight for weight, *somewhere in zip(weights, *held, strict=True) if any(somewhere)]
        for weight in summed:
            if weight.grad is None:
                weight.grad = torch.zeros_like(weight)
        for bucket in _buckets([weight.grad for weight in summed if weight.grad is not None]):
            line = torch.cat([gradient.reshape(-1) for gradient in bucket])
            with _named():
                dist.all_reduce(line)
            for gradient, total in zip(bucket, torch.split(line, [g.numel() for g in bucket]), strict=True):
                gradient.copy_(total.view_as(gradient))

    def total(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the sum of all processes' arrays of one shape."""
        return values if self.size == 1 else np.sum(self.collect(values), axis=0, dtype=np.float32)

    def agree(self, model: torch.nn.Module) -> None:
        """Check that all processes hold the same trained weights, bit for bit; divided ones nobody holds twice.

        Raises:
            DivergenceError: In all of them, if they do not.
        """
        if self.size > 1 and self.division is None:
            self.compare(fingerprint(model))

    def compare(self, own: Fingerprint) -> None:
        """Check that all processes had the same weights when each took this fingerprint.

        Raises:
            DivergenceError: In all of them, if they had not.
        """
        prints = self.collect(own)
        odd = [rank for rank, print_ in enumerate(prints) if print_ != prints[0]]
        if odd:
            raise DivergenceError(
                f"Of {self.size} processes that train together, {', '.join(map(str, odd))} no longer hold the weights "
                "of process 0. Nothing of this step was kept. Run all of them on the same versions and the same kind "
                "of hardware, and go on from the last checkpoint: palaestra evolve --resume RUN."
            )


@contextmanager
def _hidden(variable: str) -> Iterator[None]:
    """Keep transformers and accelerate from doing, by a variable of the launcher's, what is done here."""
    asked = os.environ.pop(variable, None)
    try:
        yield
    finally:
        if asked is not None:
            os.environ[variable] = asked


def fingerprint(model: torch.nn.Module) -> Fingerprint:
    """Return two sums over the bits of each trained weight, one of which knows their order; computed where they are."""
    return tuple(_sums(weight.detach()) for weight in model.parameters() if weight.requires_grad)


def _sums(weight: torch.Tensor) -> tuple[int, int]:
    bits = weight.contiguous().view(torch.uint8 if weight.element_size() % 4 else torch.int32).reshape(-1)
    plain, ordered = 0, 0
    for number, chunk in enumerate(torch.split(bits, _CHUNK)):
        wide = chunk.to(torch.int64)
        places = torch.arange(1, len(wide) + 1, device=wide.device) * (2 * number + 1)
        plain, ordered = plain + int(wide.sum()), ordered + int((wide * places).sum())
    return plain, ordered


def _buckets(gradients: Sequence[torch.Tensor]) -> Iterator[list[torch.Tensor]]:
    """Yield neighbours of one type, as many as are to be summed at once."""
    bucket: list[torch.Tensor] = []
    for gradient in gradients:
        if bucket and (
            gradient.dtype != bucket[0].dtype or sum(g.numel() for g in bucket) + gradient.numel() > _BUCKET
        ):
            yield bucket
            bucket = []
        bucket.append(gradient)
    if bucket:
        yield bucket


@contextmanager
def _named() -> Iterator[None]:
    """Turn what the connection says into an error that says what it means."""
    try:
        yield
    except (RuntimeError, ValueError) as error:
        raise _gone(error) from error


def _gone(error: Exception) -> PeerError:
    reason = str(error).strip().partition("\n")[0]
    return PeerError(
        f"Another process that trains with this one has ended, or did not answer within {STEP_LIMIT}: {reason} "
        "Its own words say why. Nothing committed is lost: launch again with --resume RUN."
    )


def refuse_peers(peers: Peers, method: str) -> None:
    """Raise `UsageError` if a method that one process carries out was begun by several."""
    if peers.size > 1:
        raise UsageError(
            f"{method} is carried out by one process, and {peers.size} were launched together. Leave accelerate "
            "launch out, or take a recipe that updates by a group policy gradient or by fine-tuning."
        )
