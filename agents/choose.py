"""How the next token is chosen: every row of a batch by its own options and its own random stream."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from palaestra.agents.policy import FloatArray, Request
from torch import Tensor

__all__ = ["BLOCK", "Chooser", "draw_tokens", "draw_uniforms"]

# Uniform numbers are drawn for this many tokens at a time, because most replies end long before their limit.
BLOCK = 32
_WORD = 2**64 - 1


def draw_uniforms(seeds: Sequence[int], block: int) -> FloatArray:
    """Draw one block of each stream `Generator(Philox(key=seed))`.

    Philox counts: setting its counter and key gives any block of any stream without making a generator for each.

    Args:
        seeds: B seeds; each names a stream.
        block: Which block of `BLOCK` numbers, from 0.

    Returns:
        `[B, BLOCK]` numbers in [0, 1).

    Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
    """
    philox = np.random.Philox(key=0)
    generator = np.random.Generator(philox)
    state: Any = philox.state
    numbers = np.empty((len(seeds), BLOCK), np.float32)
    for row, seed in enumerate(seeds):
        # A count yields four words of 64 bits, a word two numbers.
        state["state"]["counter"][0] = block * (BLOCK // 8)
        state["state"]["key"][:] = seed & _WORD, seed >> 64 & _WORD
        philox.state = state
        generator.random(out=numbers[row], dtype=np.float32)
    return numbers


class Chooser:
    """Chooses the next token of B rows.

    A token is drawn by inverting the cumulative distribution at the row's own next number, so that it depends on the
    row's logits, options and seed alone.

    Args:
        requests: B requests, for their options and seeds.
        vocabulary: Number of logits.
        device: Where the logits are.
    """

    def __init__(self, requests: Sequence[Request], vocabulary: int, device: torch.device) -> None:
        options = [request.sampling for request in requests]
        self._seeds = [request.seed for request in requests]
        # Each is `[B, 1]`, or None when it would change nothing for any row.
        self._temperature: Tensor | None = None
        self._greedy: Tensor | None = None
        self._top_k: Tensor | None = None
        self._top_p: Tensor | None = None
        if any(o.temperature not in (0.0, 1.0) for o in options):
            self._temperature = torch.tensor([[o.temperature or 1.0] for o in options], device=device)
        if any(o.temperature == 0.0 for o in options):
            self._greedy = torch.tensor([[o.temperature == 0.0] for o in options], device=device)
        if any(o.top_k or o.top_p < 1.0 for o in options):
            self._top_k = torch.tensor([[o.top_k or vocabulary] for o in options], device=device)
            self._top_p = torch.tensor([[o.top_p] for o in options], device=device)
        self._all_greedy = all(o.temperature == 0.0 for o in options)
        self._uniforms = torch.zeros(len(requests), 0, device=device)

    def keep(self, kept: Tensor) -> None:
        """Drop all rows but those at `kept`, `[K]` indices."""
        self._seeds = [self._seeds[i] for i in kept.tolist()]
        for name in ("_temperature", "_greedy", "_top_k", "_top_p", "_uniforms"):
            values = getattr(self, name)
            setattr(self, name, None if values is None else values[kept])

    def choose(self, logits: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """Choose the token number `step` of every row; steps come in order from 0.

        Args:
            logits: `[B, V]`.
            step: How many tokens each row has.

        Returns:
            `[B]` tokens, and `[B]` their log-probabilities in nats at the row's temperature (1 for greedy rows)
            before the distribution is cut; not finite where the logits are not.
        """
        scores = logits.float()
        if self._temperature is not None:
            scores = scores / self._temperature
        logprobs = scores.log_softmax(-1)
        if self._all_greedy:
            tokens = scores.argmax(-1, keepdim=True)
        else:
            tokens = self._drawn(logprobs.exp(), step)
            if self._greedy is not None:
                tokens = torch.where(self._greedy, scores.argmax(-1, keepdim=True), tokens)
        return tokens[:, 0], logprobs.gather(1, tokens)[:, 0]

    def _drawn(self, chances: Tensor, step: int) -> Tensor:
        if step % BLOCK == 0:
            self._uniforms = torch.from_numpy(draw_uniforms(self._seeds, step // BLOCK)).to(chances.device)
        return draw_tokens(chances, self._uniforms[:, step % BLOCK, None], self._top_k, self._top_p)


def draw_tokens(chances: Tensor, uniforms: Tensor, top_k: Tensor | None, top_p: Tensor | None) -> Tensor:
    """Draw a token for every row by inverting its cumulative distribution.

    Args:
        chances: `[B, V]` probabilities.
        uniforms: `[B, 1]` numbers in [0, 1).
        top_k: `[B, 1]` see `Sampling`, but all tokens are V; None cuts no row.
        top_p: `[B, 1]` likewise.

    Returns:
        `[B, 1]` tokens.
    """
    if top_k is not None or top_p is not None:
        chances = _cut(chances, top_k, top_p)
    sums = chances.cumsum(-1)
    # The first token whose sum reaches a target in (0, total] always has a chance above zero.
    target = (1 - uniforms) * sums[:, -1:]
    # Only a row of broken logits can find none; it must not read out of bounds before it is refused.
    return torch.searchsorted(sums, target).clamp_(max=chances.shape[-1] - 1)


def _cut(chances: Tensor, top_k: Tensor | None, top_p: Tensor | None) -> Tensor:
    """Zero all but the `top_k` likeliest tokens, then all but the likeliest that hold `top_p` of what is left."""
    ordered, order = chances.sort(dim=-1, descending=True, stable=True)
    if top_k is not None:
        ordered = ordered * (torch.arange(chances.shape[-1], device=chances.device) < top_k)
    if top_p is not None:
        sums = ordered.cumsum(-1)
        # A token stays when those before it fall short of the mass, so the likeliest always does.
        ordered = ordered * (sums - ordered < top_p * sums[:, -1:])
    return torch.zeros_like(chances).scatter_(1, order, ordered)
