"""The key-value cache of the token loop, and the memory it takes."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer

__all__ = ["Footprint", "new_cache", "select_rows"]


def new_cache(model: PreTrainedModel) -> DynamicCache:
    """Return an empty cache in which layers of full attention append in place.

    Layers with a sliding window or a recurrent state keep the caches that transformers gives them.
    """
    cache = DynamicCache(config=model.config)
    if cache.layer_class_to_replicate is DynamicLayer:
        cache.layer_class_to_replicate = _AppendingLayer
    cache.layers = [_AppendingLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


def select_rows(cache: DynamicCache, rows: Tensor) -> None:
    """Make the rows at `rows` (`[B]` indices, with repetition) the batch of the cache."""
    cache.reorder_cache(rows)  # type: ignore[arg-type]  # declared as LongTensor, a type no operation returns


class _AppendingLayer(DynamicLayer):
    """A layer's cache that is appended to in place, where `DynamicLayer` copies everything at every token."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        # Arrays with room for tokens to come, of which `keys` and `values` are the part in use.
        self._rooms: tuple[Tensor, Tensor] | None = None

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Append `[B, H, Q, D]` keys and values; return all of them."""
        del args, kwargs
        if not self.is_initialized or self.keys is None or self.values is None:
            self.lazy_initialization(key_states, value_states)
            self.keys, self.values = key_states, value_states
            return key_states, value_states
        start = self.keys.shape[2]
        stop = start + key_states.shape[2]
        if self._rooms is None or self._rooms[0].shape[2] < stop:
            self._rooms = _with_room(self.keys, stop), _with_room(self.values, stop)
        keys, values = self._rooms
        keys[:, :, start:stop] = key_states
        values[:, :, start:stop] = value_states
        self.keys, self.values = keys[:, :, :stop], values[:, :, :stop]
        return self.keys, self.values

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Make the rows `beam_idx` of the batch the batch."""
        super().reorder_cache(beam_idx)  # type: ignore[arg-type]
        self._rooms = None


def _with_room(states: Tensor, length: int) -> Tensor:
    rows, heads, old, size = states.shape
    # Little room: gaps between the heads' states slow attention down more than the rarer copying saves.
    room = states.new_empty(rows, heads, length + length // 8 + 16, size)
    room[:, :, :old] = states
    return room


_KEY_HEADS = ("num_key_value_heads", "num_kv_heads")


def _heads(config: Any, *names: str) -> list[int]:
    """Return the number of heads of every layer, by the first of some names; some models have others in each."""
    given = next((value for name in names if (value := getattr(config, name, None))), None)
    if given is None:
        return []
    return list(given) if isinstance(given, (list, tuple)) else [given] * int(config.num_hidden_layers)


@dataclass(frozen=True, slots=True)
class Footprint:
    """Estimates the memory that sampling takes, from a model's configuration.

    Attributes:
        vocabulary: Size of the model's vocabulary.
        cached: Bytes for each token of context and reply.
        reading: Bytes for each token of a context while it is read.
    """

    vocabulary: int
    cached: int
    reading: int

    @classmethod
    def of(cls, model: PreTrainedModel) -> "Footprint":
        """Estimate for `model`."""
        config = model.config.get_text_config()
        queries, keys = _heads(config, "num_attention_heads", "num_query_heads"), _heads(config, *_KEY_HEADS)
        size = getattr(config, "head_dim", None) or config.hidden_size // max(queries)
        states = 2 * sum(keys or queries) * size
        itemsize = torch.empty((), dtype=model.dtype).element_size()
        # A dozen numbers for each one of the hidden state: the state itself, queries, keys, values, the wide middle.
        return cls(config.vocab_size, states * itemsize, 12 * config.hidden_size * itemsize)

    def row_bytes(self, context: int, reply: int) -> int:
        """Return the bytes of a row with `context` tokens of context and at most `reply` of reply."""
        # Logits, log-probabilities, probabilities, their sums and a spare, in float32.
        choosing = 5 * 4 * self.vocabulary
        return self.cached * (context + reply) + self.reading * context + choosing
