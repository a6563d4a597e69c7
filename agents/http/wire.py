"""Questions and answers as JSON: what is sent to `/chat/completions`, and what is understood of what comes back."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from palaestra.agents.episode import NO_FLOATS, NO_IDS
from palaestra.agents.policy import FinishReason, FloatArray, IntArray, Sampling
from palaestra.agents.render import Message
from palaestra.envs.errors import InfrastructureError

__all__ = ["Answer", "Complaint", "Form", "GarbledError", "Question", "read_answer", "read_complaint"]

# Seeds are 64 bits wide here; some servers take 32, some a signed number.
_SEEDS = 2**31
_OVERFLOW = re.compile(r"context.{0,20}(length|size|window)|prompt is too long|too many tokens", re.IGNORECASE)
_OVERFLOW_CODES = ("context_length_exceeded", "exceed_context_size_error")
_QUOTED = 500


class GarbledError(Exception):
    """What came is no whole answer; asked again, the server may do better."""


@dataclass(frozen=True, eq=False)
class Question:
    """One turn of a conversation.

    Attributes:
        messages: The conversation, from its first message.
        sampling: How to sample.
        seed: Names the random stream, where the server takes one.
    """

    messages: tuple[Message, ...]
    sampling: Sampling
    seed: int


@dataclass(frozen=True, eq=False)
class Answer:
    """What the server said.

    Attributes:
        text: The reply.
        finish: Why it ended; None where the server gives another reason than ours, or one that may be two of ours.
        prompt_ids: `[P]` ids of the whole prompt as the server saw it; empty where it does not say all three.
        ids: `[T]` sampled ids.
        logprobs: `[T]` their log-probabilities, as the server reports them.
        tokens: Number of tokens of prompt and reply as the server counts them; None where it does not.
    """

    text: str
    finish: FinishReason | None
    prompt_ids: IntArray
    ids: IntArray
    logprobs: FloatArray
    tokens: tuple[int, int] | None


@dataclass(frozen=True)
class Form:
    """Which dialect of the protocol a server takes.

    Attributes:
        exact: Whether token ids and log-probabilities are asked for, and cuts of the distribution that a server may
            make by itself are switched off by name.
        limit: Name of the token limit.
        server_sampling: Whether the server decides how to sample.
    """

    exact: bool = True
    limit: str = "max_tokens"
    server_sampling: bool = False

    def body(self, model: str, question: Question) -> bytes:
        """Return a request in this dialect."""
        sampling = question.sampling
        asked: dict[str, Any] = {
            "model": model,
            "messages": [message._asdict() for message in question.messages],
            self.limit: sampling.max_tokens,
        }
        if sampling.stop:
            asked["stop"] = list(sampling.stop)
        if self.exact:
            asked |= {"return_token_ids": True, "logprobs": True}
        if not self.server_sampling:
            if self.exact:
                asked |= {"top_k": 0, "top_p": 1.0}
            asked["temperature"] = sampling.temperature
            if sampling.temperature > 0:
                asked["seed"] = question.seed % _SEEDS
            # Cuts that were asked for are part of the question, in every dialect.
            asked |= {"top_k": sampling.top_k} if sampling.top_k else {}
            asked |= {"top_p": sampling.top_p} if sampling.top_p < 1 else {}
        return json.dumps(asked, separators=(",", ":")).encode()

    def simpler(self, message: str) -> "Form | None":
        """Return the dialect to try after a server refused this one with `message`; None when there is none left."""
        if "max_completion_tokens" in message and self.limit == "max_tokens":
            return replace(self, limit="max_completion_tokens")
        return replace(self, exact=False) if self.exact else None


@dataclass(frozen=True)
class Complaint:
    """Why a server did not answer.

    Attributes:
        message: In its own words, shortened.
        code: Its code or type, in words.
    """

    message: str
    code: str

    @property
    def overflow(self) -> bool:
        """Whether the conversation is too long for the model."""
        return self.code in _OVERFLOW_CODES or bool(_OVERFLOW.search(self.message))


def read_complaint(text: str) -> Complaint:
    """Read the body of an answer that is an error, in the protocol's form or any other."""
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    error = body.get("error", body) if isinstance(body, dict) else body
    if isinstance(error, dict):
        code = error.get("code") if isinstance(error.get("code"), str) else error.get("type")
        said = error.get("message") or error.get("detail") or text
        return Complaint(_short(str(said)), str(code or ""))
    return Complaint(_short(error if isinstance(error, str) else text), "")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _QUOTED else line[:_QUOTED] + "..."


def read_answer(text: str, stop: Sequence[str] = ()) -> Answer:
    """Read the body of an answer.

    Args:
        text: The body.
        stop: Stop strings that were asked for.

    Raises:
        GarbledError: If it is no whole answer.
        InfrastructureError: If the server held the reply back.
    """
    try:
        body = json.loads(text)
        choice = body["choices"][0]
        said = choice["message"].get("content")
        reason = choice.get("finish_reason")
    except (ValueError, LookupError, TypeError, AttributeError):
        raise GarbledError(f"no answer in the chat protocol: {_short(text)!r}") from None
    if reason in ("abort", "error") or not isinstance(said, str | None):
        raise GarbledError(f"the server broke off ({reason})")
    if reason == "content_filter":
        raise InfrastructureError("The server held the reply back (content_filter).")
    finish = {"stop": FinishReason.STOP, "length": FinishReason.LENGTH}.get(str(reason))
    if finish is FinishReason.STOP and stop:
        finish = _kind_of_stop(choice)
    # Half a surrogate pair is valid JSON and no text: it can neither be printed nor stored.
    reply = (said or "").encode("utf-8", "replace").decode("utf-8")
    return Answer(reply, finish, *_ids(body, choice), _tokens(body.get("usage")))


def _kind_of_stop(choice: dict[str, Any]) -> FinishReason | None:
    """Return whether a token or a string ended a reply; the protocol calls both "stop", and only vLLM tells more."""
    if "stop_reason" not in choice:
        return None
    return FinishReason.STOP_STRING if isinstance(choice["stop_reason"], str) else FinishReason.STOP


def _ids(body: dict[str, Any], choice: dict[str, Any]) -> tuple[IntArray, IntArray, FloatArray]:
    """Return ids of prompt and reply with log-probabilities, where all three are there and fit."""
    try:
        prompt = np.asarray(body["prompt_token_ids"], np.int32)
        ids = np.asarray(choice["token_ids"], np.int32)
        logprobs = np.asarray([token["logprob"] for token in choice["logprobs"]["content"]], np.float32)
    except (LookupError, TypeError, ValueError, OverflowError):
        return NO_IDS, NO_IDS, NO_FLOATS
    fits = prompt.ndim == ids.ndim == 1 and len(prompt) > 0 and len(ids) == len(logprobs) > 0
    return (prompt, ids, logprobs) if fits and np.isfinite(logprobs).all() else (NO_IDS, NO_IDS, NO_FLOATS)


def _tokens(usage: object) -> tuple[int, int] | None:
    if not isinstance(usage, dict):
        return None
    counts = usage.get("prompt_tokens"), usage.get("completion_tokens", 0)
    return counts if all(isinstance(count, int) for count in counts) else None  # type: ignore[return-value]
