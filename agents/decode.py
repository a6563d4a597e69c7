"""The token loop: continues a batch of contexts on one causal model, with a key-value cache.

`generate` of transformers serves every model and every search; this loop serves sampling alone and spends its time in
the model. Contexts that occur more than once are read once, the cache grows in place, and rows that have ended leave
the batch.
"""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from palaestra.agents.policy import FinishReason, FloatArray, IntArray, Request, Sample
from palaestra.envs.errors import InfrastructureError
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer

__all__ = ["continue_batch", "row_bytes"]

# Uniform numbers are drawn for this many tokens at a time: most replies end long before their limit.
_BLOCK = 32
# Rows leave the batch when at most this share of it is alive: earlier, copying the cache costs more than it saves.
_CROWDED = 0.6
_WORD = 2**64 - 1


class _AppendingLayer(DynamicLayer):
    """A layer's cache that is appended to in place, where `DynamicLayer` copies everything at every token."""

    def __init__(self) -> None:
        super().__init__()
        self._rooms: list[Tensor] = []

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object
    ) -> tuple[Tensor, Tensor]:
        """Append `[B, H, Q, D]` keys and values; return all of them."""
        del args, kwargs
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self.keys, self.values = key_states, value_states
            return self.keys, self.values
        start = self.keys.shape[2]
        stop = start + key_states.shape[2]
        if not self._rooms or self._rooms[0].shape[2] < stop:
            self._rooms = [_with_room(self.keys, stop), _with_room(self.values, stop)]
        for room, states in zip(self._rooms, (key_states, value_states), strict=True):
            room[:, :, start:stop] = states
        self.keys, self.values = (room[:, :, :stop] for room in self._rooms)
        return self.keys, self.values

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Make the rows `beam_idx` of the batch the batch."""
        self.keys, self.values = self.keys.index_select(0, beam_idx), self.values.index_select(0, beam_idx)
        self._rooms = []


def _with_room(states: Tensor, length: int) -> Tensor:
    rows, heads, old, size = states.shape
    room = states.new_empty(rows, heads, length + length // 2 + _BLOCK, size)
    room[:, :, :old] = states
    return room


def _new_cache(model: PreTrainedModel) -> DynamicCache:
    # Made with the configuration, so that sliding windows and recurrent layers keep caches of their own kinds.
    cache = DynamicCache(config=model.config)
    if cache.layer_class_to_replicate is DynamicLayer:
        cache.layer_class_to_replicate = _AppendingLayer
    cache.layers = [_AppendingLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


def row_bytes(model: PreTrainedModel, context: int, reply: int) -> int:
    """Estimate the memory that one row of a batch takes at its peak.

    Args:
        model: The model.
        context: Tokens of the context.
        reply: Most tokens of the reply.
    """
    config = model.config.get_text_config()
    heads = config.num_attention_heads
    head_size = getattr(config, "head_dim", None) or config.hidden_size // heads
    states = 2 * config.num_hidden_layers * (getattr(config, "num_key_value_heads", None) or heads) * head_size
    # Some six arrays of the hidden size live at once while a context is read, two of them fourfold in the middle.
    reading = 12 * config.hidden_size
    # Logits, log-probabilities, probabilities, their sums and a spare, in float32.
    choosing = 5 * 4 * config.vocab_size
    return int((states * (context + reply) + reading * context) * model.dtype.itemsize + choosing)


@dataclass(slots=True)
class _Rows:
    """The rows that are still in the batch: B of them, all arrays in the same order.

    Attributes:
        number: `[B]` index in the batch as it came.
        alive: `[B]` whether the row has not ended.
        limit: `[B]` most tokens of the reply.
        seeds: B seeds of the requests.
        positions: `[B]` of the next token.
        temperature: `[B, 1]`, 1 for greedy rows; None when all are 1.
        greedy: `[B]`; None when no row is.
        top_k: `[B, 1]`, the size of the vocabulary where nothing is cut; None when no row cuts.
        top_p: `[B, 1]`; None when no row cuts.
        mask: `[B, W]` false at padding, for all tokens to come; None when no row is padded.
        uniforms: `[B, _BLOCK]` for the steps of this block, in (0, 1].
    """

    number: NDArray[np.intp]
    alive: NDArray[np.bool_]
    limit: IntArray
    seeds: list[int]
    positions: Tensor
    temperature: Tensor | None = None
    greedy: Tensor | None = None
    top_k: Tensor | None = None
    top_p: Tensor | None = None
    mask: Tensor | None = None
    uniforms: Tensor = field(default_factory=lambda: torch.zeros(0))

    @classmethod
    def of(cls, requests: Sequence[Request], limits: IntArray, vocabulary: int, device: torch.device) -> "_Rows":
        """Lay out how each request samples."""
        options = [request.sampling for request in requests]
        rows = cls(
            np.arange(len(requests)),
            np.ones(len(requests), np.bool_),
            limits,
            [request.seed for request in requests],
            torch.tensor([len(request.context) for request in requests], device=device),
        )
        if any(o.temperature not in (0.0, 1.0) for o in options):
            rows.temperature = torch.tensor([[o.temperature or 1.0] for o in options], device=device)
        if any(o.temperature == 0.0 for o in options):
            rows.greedy = torch.tensor([o.temperature == 0.0 for o in options], device=device)
        if any(o.top_k or o.top_p < 1.0 for o in options):
            rows.top_k = torch.tensor([[o.top_k or vocabulary] for o in options], device=device)
            rows.top_p = torch.tensor([[o.top_p] for o in options], device=device)
        return rows

    def keep(self, kept: NDArray[np.intp]) -> Tensor:
        """Drop all rows but those at `kept`; return these as indices on the device."""
        index = torch.from_numpy(kept).to(self.positions.device)
        self.number, self.alive, self.limit = self.number[kept], self.alive[kept], self.limit[kept]
        self.seeds = [self.seeds[i] for i in kept]
        for name in ("positions", "temperature", "greedy", "top_k", "top_p", "mask", "uniforms"):
            values = getattr(self, name)
            setattr(self, name, None if values is None else values[index])
        return index

    def draw(self, block: int) -> None:
        """Draw the uniform numbers of block number `block`."""
        numbers = draw_uniforms(self.seeds, block)
        self.uniforms = torch.from_numpy(numbers).to(self.positions.device)


def draw_uniforms(seeds: Sequence[int], block: int) -> FloatArray:
    """Draw a block of every request's own stream, `Generator(Philox(key=seed))`.

    Philox counts: setting the counter gives any block of any stream without making a generator for each.

    Args:
        seeds: B seeds.
        block: Which block, from 0.

    Returns:
        `[B, _BLOCK]` numbers in (0, 1].
    """
    philox = np.random.Philox(key=0)
    generator = np.random.Generator(philox)
    state: Any = philox.state
    numbers = np.empty((len(seeds), _BLOCK), np.float32)
    for row, seed in enumerate(seeds):
        # Four 64-bit words a count, two float32 a word.
        state["state"]["counter"][0] = block * (_BLOCK // 8)
        state["state"]["key"][:] = seed & _WORD, seed >> 64 & _WORD
        philox.state = state
        generator.random(out=numbers[row], dtype=np.float32)
    return 1 - numbers


def choose(logits: Tensor, uniforms: Tensor, rows: _Rows) -> tuple[Tensor, Tensor]:
    """Choose a token for every row.

    A token is drawn by inverting the cumulative distribution, so that it depends on its own row and number alone.

    Args:
        logits: `[B, V]`.
        uniforms: `[B]` in (0, 1].
        rows: How each row samples.

    Returns:
        `[B]` tokens, and `[B]` their log-probabilities in nats before the distribution was cut.
    """
    scores = logits.float()
    if rows.temperature is not None:
        scores = scores / rows.temperature
    logprobs = scores.log_softmax(-1)
    if rows.greedy is None or not bool(rows.greedy.all()):
        chances = logprobs.exp()
        if rows.top_k is not None and rows.top_p is not None:
            chances = _cut(chances, rows.top_k, rows.top_p)
        sums = chances.cumsum(-1)
        # The first token whose sum reaches a target in (0, total] always has a chance above zero.
        tokens = torch.searchsorted(sums, uniforms[:, None] * sums[:, -1:])[:, 0]
        # Only a row without finite logits gets here with no such token; it is found and refused at the end.
        tokens = tokens.clamp_(max=logits.shape[-1] - 1)
        if rows.greedy is not None:
            tokens = torch.where(rows.greedy, scores.argmax(-1), tokens)
    else:
        tokens = scores.argmax(-1)
    return tokens, logprobs.gather(1, tokens[:, None])[:, 0]


def _cut(chances: Tensor, top_k: Tensor, top_p: Tensor) -> Tensor:
    """Zero all but the `top_k` likeliest tokens, then all but the likeliest that hold `top_p` of what is left."""
    ordered, order = chances.sort(dim=-1, descending=True, stable=True)
    ordered = ordered * (torch.arange(chances.shape[-1], device=chances.device) < top_k)
    sums = ordered.cumsum(-1)
    # A token stays when those before it fall short of the mass: at least one always does.
    ordered = ordered * (sums - ordered < top_p * sums[:, -1:])
    return torch.zeros_like(chances).scatter_(1, order, ordered)


def continue_batch(
    model: PreTrainedModel,
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
        requests: B requests that fit into memory together.
        limits: `[B]` most tokens of each reply; context and reply fit into the model's positions.
        stop_ids: Ids that end a reply.
        position_limit: How many positions the model knows.
        version: Version of the weights, for the samples.

    Raises:
        InfrastructureError: If a logit that was needed is not a number.
    """
    device = model.device
    unique, index = _distinct([request.context for request in requests])
    ids, mask = _left_padded(unique)
    width = ids.shape[1]
    rows = _Rows.of(requests, limits, model.config.get_text_config().vocab_size, device)
    cache = _new_cache(model)
    reading: dict[str, Any] = {"input_ids": ids.to(device), "position_ids": (mask.cumsum(1) - 1).clamp_(min=0).to(device)}
    if not bool(mask.all()):
        reading["attention_mask"] = mask.to(device)
        ahead = torch.ones(len(requests), int(limits.max()), dtype=torch.bool)
        rows.mask = torch.cat([mask.bool()[index], ahead], 1).to(device)
    if "logits_to_keep" in inspect.signature(type(model).forward).parameters:
        reading["logits_to_keep"] = 1
    logits = model(**reading, past_key_values=cache, use_cache=True).logits[:, -1]
    if len(unique) < len(requests):
        repeated = torch.tensor(index, device=device)
        cache.reorder_cache(repeated)
        logits = logits[repeated]

    vocabulary = logits.shape[-1]
    stops = np.zeros(vocabulary, np.bool_)
    stops[[i for i in stop_ids if i < vocabulary]] = True
    record = _Record(len(requests))
    step = 0
    while True:
        if step % _BLOCK == 0:
            rows.draw(step // _BLOCK)
        tokens, logprobs = choose(logits, rows.uniforms[:, step % _BLOCK], rows)
        record.add(rows, tokens, logprobs)
        step += 1
        stopped = stops[tokens.cpu().numpy()]
        ended = rows.alive & (stopped | (rows.limit == step))
        record.end(rows.number[ended], step, stopped[ended])
        rows.alive &= ~ended
        alive = int(rows.alive.sum())
        if alive == 0:
            return record.samples(version)
        if alive <= _CROWDED * len(rows.alive):
            kept = rows.keep(np.flatnonzero(rows.alive))
            cache.reorder_cache(kept)
            tokens = tokens[kept]
        padding = {} if rows.mask is None else {"attention_mask": rows.mask[:, : width + step]}
        # Rows that have ended go on in the batch; their positions must not run past the model's.
        positions = rows.positions.clamp(max=position_limit - 1)[:, None]
        logits = model(
            input_ids=tokens[:, None], position_ids=positions, past_key_values=cache, use_cache=True, **padding
        ).logits[:, -1]
        rows.positions = rows.positions + 1


class _Record:
    """What was sampled, kept on the device until the batch has ended."""

    def __init__(self, rows: int) -> None:
        self.lengths = np.zeros(rows, np.int64)
        self.stopped = np.zeros(rows, np.bool_)
        # Runs of steps between which no row left the batch: the rows, and what each step chose for them.
        self.runs: list[tuple[NDArray[np.intp], list[Tensor], list[Tensor]]] = []

    def add(self, rows: _Rows, tokens: Tensor, logprobs: Tensor) -> None:
        """Note one step of all rows in the batch."""
        if not self.runs or self.runs[-1][0] is not rows.number:
            self.runs.append((rows.number, [], []))
        self.runs[-1][1].append(tokens)
        self.runs[-1][2].append(logprobs)

    def end(self, numbers: NDArray[np.intp], length: int, stopped: NDArray[np.bool_]) -> None:
        """Note that the rows `numbers` ended with `length` tokens."""
        self.lengths[numbers] = length
        self.stopped[numbers] = stopped

    def samples(self, version: int) -> list[Sample]:
        """Return every row's sample, in the order they came."""
        ids = np.zeros((len(self.lengths), int(self.lengths.max())), np.int32)
        logprobs = np.zeros(ids.shape, np.float32)
        start = 0
        for numbers, tokens, chances in self.runs:
            steps = slice(start, start + len(tokens))
            ids[numbers, steps] = torch.stack(tokens, 1).cpu().numpy()
            logprobs[numbers, steps] = torch.stack(chances, 1).cpu().numpy()
            start += len(tokens)
        samples = []
        for row, length in enumerate(self.lengths):
            if not np.isfinite(logprobs[row, :length]).all():
                raise InfrastructureError(
                    "The model's logits are not finite: its weights are broken, or its numbers overflow. "
                    "Go back to an earlier checkpoint, or lower the learning rate."
                )
            reason = FinishReason.STOP if self.stopped[row] else FinishReason.LENGTH
            samples.append(Sample(ids[row, :length].copy(), logprobs[row, :length].copy(), reason, version))
        return samples


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
