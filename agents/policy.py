"""The contract of a policy: a model that continues token contexts and reports what it sampled."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeGuard, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from palaestra.envs.errors import UsageError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

__all__ = [
    "Continuous",
    "FinishReason",
    "FloatArray",
    "IntArray",
    "Policy",
    "Request",
    "Sample",
    "Sampling",
    "TakesWeights",
    "is_continuous",
]

IntArray: TypeAlias = NDArray[np.int32]
FloatArray: TypeAlias = NDArray[np.float32]


class FinishReason(StrEnum):
    """Why a policy stopped."""

    STOP = "stop"
    """It sampled an end-of-turn token, which is the last of the sample's ids."""
    LENGTH = "length"
    """It reached the token limit of the request or of its context."""
    STOP_STRING = "stop_string"
    """Its text came to hold a stop string of the request, see `palaestra.agents.stopping`."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to sample.

    Attributes:
        max_tokens: Most tokens of one reply.
        temperature: Divides the logits; 0 is greedy.
        top_k: Sample among the k most probable tokens; 0 is all.
        top_p: Sample among the most probable tokens that together reach this mass; 1 is all.
        stop: Strings that end a reply as soon as its text holds one; what is said ends before it.
    """

    max_tokens: int = 64
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()

    def stopped_by(self, more: Sequence[str]) -> "Sampling":
        """Return the same with further stop strings."""
        return replace(self, stop=tuple(dict.fromkeys((*self.stop, *more)))) if more else self

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise UsageError(f"max_tokens must be at least 1, got {self.max_tokens}.")
        if not 0.0 <= self.temperature < float("inf"):
            raise UsageError(f"temperature must be finite and not negative, got {self.temperature}.")
        if self.top_k < 0:
            raise UsageError(f"top_k must be 0 (all tokens) or more, got {self.top_k}.")
        if not 0.0 < self.top_p <= 1.0:
            raise UsageError(f"top_p must lie in (0, 1], got {self.top_p}.")
        if not isinstance(self.stop, tuple) or not all(isinstance(text, str) and text for text in self.stop):
            raise UsageError(f"stop must be a tuple of strings that are not empty, got {self.stop!r}.")


@dataclass(frozen=True, slots=True)
class Request:
    """One context to continue.

    Attributes:
        context: `[C]` token ids, C at least 1.
        sampling: How to sample.
        seed: Names the random stream of this request. What is sampled depends on the weights, the context and
            this seed, not on the requests it shares a batch with (up to rounding in the logits).
    """

    context: IntArray
    sampling: Sampling
    seed: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One continuation.

    Attributes:
        ids: `[T]` sampled token ids, T at least 1, with the end-of-turn token when `finish` is STOP, and with
            the one that completed the stop string when it is STOP_STRING.
        logprobs: `[T]` log-probabilities in nats of those ids at the request's temperature (at 1 for greedy),
            before top-k and top-p cut the distribution.
        finish: Why it ended.
        versions: `[T]` version of the weights that sampled each id: an engine may take new weights in mid-reply.
    """

    ids: IntArray
    logprobs: FloatArray
    finish: FinishReason
    versions: IntArray


class Policy(Protocol):
    """A model that continues token contexts."""

    @property
    def name(self) -> str:
        """The spec that names this policy."""
        ...

    @property
    def version(self) -> int:
        """How many updates the weights have taken."""
        ...

    @property
    def tokenizer(self) -> "PreTrainedTokenizerBase":
        """Turns text into ids; its chat template renders conversations."""
        ...

    @property
    def context_limit(self) -> int:
        """Most tokens of a context and its reply together."""
        ...

    def sample(self, requests: Sequence[Request]) -> list[Sample]:
        """Continue every context; sample i answers request i.

        Raises:
            InfrastructureError: If the model or its server failed; no sample of the batch is then to be used.
            UsageError: If a context is empty or already as long as the context limit.
        """
        ...


class Continuous(Protocol):
    """A policy that takes requests one by one while it is at work on others, as servers and their engines do."""

    def submit(self, request: Request) -> Future[Sample]:
        """Begin to continue one context; returns at once.

        The future fails with `InfrastructureError` if the model or its server failed, and with `UsageError` if the
        context is empty or leaves no room for a reply.
        """
        ...


def is_continuous(policy: Policy) -> TypeGuard[Continuous]:
    """Whether a policy takes requests one by one; asked for each of them, and `isinstance` is slow with protocols."""
    return hasattr(type(policy), "submit")


@runtime_checkable
class TakesWeights(Protocol):
    """A policy whose weights are learned elsewhere and handed to it while it samples."""

    def take(self, weights: "Mapping[str, torch.Tensor]", version: int) -> None:
        """Go on with other weights; may be called from another thread than samples.

        When this returns, the tensors belong to the caller again. Every token is sampled by whole weights of one
        version, and says which: what is sampled after the change bears the new version, also in mid-reply.

        Args:
            weights: The trained ones, by the names of the model's parameters; of a model with adapters the adapters.
            version: Their version.
        """
        ...
