"""Which requests a policy can answer, and how long the replies may become."""

from collections.abc import Sequence

import numpy as np
from palaestra.agents.policy import IntArray, Request
from palaestra.envs.errors import UsageError
from transformers import GenerationConfig, PreTrainedTokenizerBase

__all__ = ["reply_limits", "stop_ids"]


def reply_limits(
    requests: Sequence[Request], name: str, context_limit: int, vocabulary: int, first: int = 0
) -> IntArray:
    """Return the `[N]` most tokens of each reply.

    Args:
        requests: N requests, at least one.
        name: Of the policy.
        context_limit: Most tokens of a context and its reply together.
        vocabulary: Number of ids that the model knows.
        first: What errors call the first of the requests.

    Raises:
        UsageError: If a context is empty, leaves no room for a reply, or holds an id the model does not know.
    """
    sizes = np.array([len(request.context) for request in requests])
    wanted = np.array([request.sampling.max_tokens for request in requests])
    if sizes.min() == 0:
        raise UsageError(f"The context of request {first + sizes.argmin()} is empty; give at least one token.")
    if sizes.max() >= context_limit:
        raise UsageError(
            f"The context of request {first + sizes.argmax()} has {sizes.max()} tokens and leaves no room for a reply: "
            f"{name} takes {context_limit} together. Shorten the context or take another model."
        )
    everything = np.concatenate([request.context for request in requests])
    if everything.min() < 0 or everything.max() >= vocabulary:
        raise UsageError(
            f"Contexts hold ids from {everything.min()} to {everything.max()}, but {name} knows 0 to "
            f"{vocabulary - 1}. Encode them with this policy's own tokenizer."
        )
    limits: IntArray = np.minimum(wanted, context_limit - sizes).astype(np.int32)
    return limits


def stop_ids(tokenizer: PreTrainedTokenizerBase, generation: GenerationConfig | None) -> tuple[int, ...]:
    """Return the ids that end a reply: the tokenizer's end of sequence and those of the generation configuration."""
    ends: set[int] = set()
    for end in (tokenizer.eos_token_id, generation.eos_token_id if generation else None):
        ends.update([] if end is None else [end] if isinstance(end, int) else end)
    return tuple(sorted(ends))
