"""The token loop: continues a batch of contexts on one causal model, with a key-value cache.

`generate` of transformers serves every model and every search; this loop serves sampling alone. Contexts that occur
more than once are read once, the cache grows in place, and rows that have ended leave the batch.
"""

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from palaestra.agents.cache import new_cache, select_rows
from palaestra.agents.choose import Chooser
from palaestra.agents.policy import FinishReason, IntArray, Request, Sample
from palaestra.agents.stopping import StopWatch
from palaestra.envs.errors import InfrastructureError
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["CROWDED", "continue_batch"]

CROWDED = 0.6
"""Rows that have ended leave the batch when at most this share of it is alive: leaving copies the cache."""


@torch.inference_mode()
def continue_batch(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    requests: Sequence[Request],
    *,
    limits: IntArray,
    stop_ids: Sequence[int],
    position_limit: int,
    version: int,
) -> list[Sample]:
    """Continue the contexts of one batch.

    Args:
        model: A causal model in evaluation mode.
        tokenizer: Its tokenizer, which spells out where replies may end with a stop string.
        requests: B requests that fit into memory together.
        limits: `[B]` most tokens of each reply; context and reply fit into the model's positions.
        stop_ids: Ids that end a reply.
        position_limit: How many positions the model knows.
        version: Version of the weights, for the samples.

    Returns:
        B samples, in the order of the requests.

    Raises:
        InfrastructureError: If the logits of a sampled token are not finite.
    """
    reader = _Reader(model, position_limit)
    logits = reader.read([request.context for request in requests], int(limits.max()))
    vocabulary = logits.shape[-1]
    chooser = Chooser(requests, vocabulary, logits.device)
    stops = np.zeros(vocabulary, np.bool_)
    stops[[i for i in stop_ids if i < vocabulary]] = True
    watch = StopWatch(tokenizer, requests)
    record = _Record(len(requests))
    # The rows still in the batch: which they are, and whether they go on.
    rows = np.arange(len(requests))
    alive = np.ones(len(requests), np.bool_)
    step = 0
    while True:
        tokens, logprobs = chooser.choose(logits, step)
        record.add(rows, tokens, logprobs)
        step += 1
        chosen = tokens.cpu().numpy()
        stopped = stops[chosen]
        by_string = watch.end(rows, chosen, alive & ~stopped)
        ended = alive & (stopped | by_string | (limits[rows] == step))
        record.end(rows[ended], step, stopped[ended], by_string[ended])
        alive &= ~ended
        count = int(alive.sum())
        if count == 0:
            return record.samples(version)
        if count <= CROWDED * len(rows):
            kept = torch.from_numpy(np.flatnonzero(alive)).to(tokens.device)
            rows, alive, tokens = rows[alive], alive[alive], tokens[kept]
            reader.keep(kept)
            chooser.keep(kept)
        logits = reader.read_on(tokens)


class _Reader:
    """A model that has read B contexts and what was sampled since."""

    def __init__(self, model: PreTrainedModel, position_limit: int) -> None:
        self._model = model
        self._position_limit = position_limit
        self._cache: DynamicCache = new_cache(model)
        self._known = _arguments(model)

    def read(self, contexts: Sequence[IntArray], reply: int) -> Tensor:
        """Read the contexts, each distinct one once; return `[B, V]` logits of their next tokens.

        Args:
            contexts: B contexts.
            reply: Most tokens that will follow.
        """
        unique, index = _distinct(contexts)
        ids, mask = _left_padded(unique)
        device = self._model.device
        # Next positions of the rows, and where they are padded: `[B, width + reply]`, None when none is.
        self._positions = mask.sum(1)[index].to(device)
        self._length = ids.shape[1]
        self._mask: Tensor | None = None
        given: dict[str, Any] = {}
        # Without padding no mask is given: transformers then takes the faster attention.
        if not bool(mask.all()):
            ahead = torch.ones(len(contexts), reply, dtype=mask.dtype)
            self._mask = torch.cat([mask[index], ahead], 1).to(device)
            given["attention_mask"] = mask.to(device)
        if "logits_to_keep" in self._known:
            given["logits_to_keep"] = 1
        logits = self._forward(ids.to(device), (mask.cumsum(1) - 1).clamp_(min=0).to(device), given)
        if len(unique) < len(contexts):
            repeated = torch.tensor(index, device=device)
            select_rows(self._cache, repeated)
            logits = logits[repeated]
        return logits

    def read_on(self, tokens: Tensor) -> Tensor:
        """Read one more token of every row, `[B]`; return `[B, V]` logits of the next."""
        # Rows that have ended stay for a while; their positions must not run past the model's.
        positions = self._positions.clamp(max=self._position_limit - 1)[:, None]
        self._positions = self._positions + 1
        self._length += 1
        given = {} if self._mask is None else {"attention_mask": self._mask[:, : self._length]}
        return self._forward(tokens[:, None], positions, given)

    def keep(self, kept: Tensor) -> None:
        """Drop all rows but those at `kept`, `[K]` indices."""
        select_rows(self._cache, kept)
        self._positions = self._positions[kept]
        self._mask = None if self._mask is None else self._mask[kept]

    def _forward(self, ids: Tensor, positions: Tensor, given: dict[str, Any]) -> Tensor:
        # Some models derive positions from the mask alone.
        if "position_ids" in self._known:
            given["position_ids"] = positions
        output = self._model(input_ids=ids, past_key_values=self._cache, use_cache=True, **given)
        logits: Tensor = output.logits[:, -1]
        return logits


class _Record:
    """What was sampled, kept on the device until the batch has ended."""

    def __init__(self, rows: int) -> None:
        self.lengths = np.zeros(rows, np.int64)
        self.reasons = [FinishReason.LENGTH] * rows
        # Runs of steps during which no row left: the rows, and what each step chose for them.
        self.runs: list[tuple[NDArray[np.intp], list[Tensor], list[Tensor]]] = []

    def add(self, rows: NDArray[np.intp], tokens: Tensor, logprobs: Tensor) -> None:
        """Note one step of the rows in the batch."""
        if not self.runs or self.runs[-1][0] is not rows:
            self.runs.append((rows, [], []))
        self.runs[-1][1].append(tokens)
        self.runs[-1][2].append(logprobs)

    def end(
        self, rows: NDArray[np.intp], length: int, stopped: NDArray[np.bool_], by_string: NDArray[np.bool_]
    ) -> None:
        """Note that `rows` ended with `length` tokens, and why."""
        self.lengths[rows] = length
        for ended, reason in ((stopped, FinishReason.STOP), (by_string, FinishReason.STOP_STRING)):
            for row in rows[ended]:
                self.reasons[row] = reason

    def samples(self, version: int) -> list[Sample]:
        """Return every row's sample, in the order the rows came."""
        ids = np.zeros((len(self.lengths), int(self.lengths.max())), np.int32)
        logprobs = np.zeros(ids.shape, np.float32)
        start = 0
        for rows, tokens, chances in self.runs:
            steps = slice(start, start + len(tokens))
            ids[rows, steps] = torch.stack(tokens, 1).cpu().numpy()
            logprobs[rows, steps] = torch.stack(chances, 1).cpu().numpy()
            start += len(tokens)
        samples = []
        for row, length in enumerate(self.lengths):
            if not np.isfinite(logprobs[row, :length]).all():
                raise InfrastructureError(
                    "The model's logits are not finite: its weights are broken, or its numbers overflow. Go back to "
                    "an earlier checkpoint, lower the learning rate, or load it in float32."
                )
            versions = np.full(length, version, np.int32)
            samples.append(Sample(ids[row, :length].copy(), logprobs[row, :length].copy(), self.reasons[row], versions))
        return samples


def _arguments(model: PreTrainedModel) -> frozenset[str]:
    """Return the names of what the model's own `forward` takes, looking through adapters."""
    unwrapped: Any = getattr(model, "get_base_model", None)
    kind = type(unwrapped() if unwrapped else model)
    return frozenset(inspect.signature(kind.forward).parameters)


def _distinct(contexts: Sequence[IntArray]) -> tuple[list[IntArray], list[int]]:
    """Return the distinct contexts, and for every context which of them it is."""
    seen: dict[bytes, int] = {}
    unique: list[IntArray] = []
    index = []
    for context in contexts:
        number = seen.setdefault(context.tobytes(), len(unique))
        if number == len(unique):
            unique.append(context)
        index.append(number)
    return unique, index


def _left_padded(contexts: Sequence[IntArray]) -> tuple[Tensor, Tensor]:
    """Return `[U, W]` ids that end where the longest does, and the `[U, W]` mask that is 0 at padding."""
    width = max(len(context) for context in contexts)
    ids = np.zeros((len(contexts), width), np.int64)
    mask = np.zeros((len(contexts), width), np.int64)
    for row, context in enumerate(contexts):
        ids[row, width - len(context) :] = context
        mask[row, width - len(context) :] = 1
    return torch.from_numpy(ids), torch.from_numpy(mask)
