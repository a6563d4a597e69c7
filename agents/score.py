"""How probable a local policy finds given continuations, without sampling any."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from palaestra.agents.local import LocalPolicy
from palaestra.agents.policy import IntArray

__all__ = ["continuation_logprobs"]

# Tokens that go through the model at once: some hundred megabytes of logits with the largest vocabularies.
_AT_ONCE: Final = 2**15


@torch.inference_mode()
def continuation_logprobs(
    policy: LocalPolicy, contexts: Sequence[IntArray], replies: Sequence[Sequence[IntArray]]
) -> list[NDArray[np.float32]]:
    """Return the log-probability in nats of each of some replies to each context, at temperature 1.

    Where the first ids of a context's replies all differ, they tell the replies apart, and only they are scored.

    Args:
        policy: Whose opinion is asked.
        contexts: N arrays `[C]` of ids.
        replies: For each context its R replies, `[T]` ids each, T at least 1.

    Returns:
        N arrays `[R]`.
    """
    told_apart = [len({int(ids[0]) for ids in some}) == len(some) for some in replies]
    rows: list[tuple[int, int, IntArray, int]] = []  # context, reply or -1 for all, ids, how many of them are scored
    for number, (context, some) in enumerate(zip(contexts, replies, strict=True)):
        if told_apart[number]:
            rows.append((number, -1, context, 0))
        else:
            rows += [(number, reply, np.concatenate([context, ids]), len(ids)) for reply, ids in enumerate(some)]
    found = [np.zeros(len(some), np.float32) for some in replies]
    by_length: defaultdict[int, list[tuple[int, int, IntArray, int]]] = defaultdict(list)
    for row in rows:
        by_length[len(row[2])].append(row)
    training = policy.model.training
    policy.model.train(False)
    try:
        for length, same in by_length.items():
            most = max(1, _AT_ONCE // length)
            for start in range(0, len(same), most):
                _score(policy, same[start : start + most], replies, found)
    finally:
        policy.model.train(training)
    return found


def _score(
    policy: LocalPolicy,
    rows: Sequence[tuple[int, int, IntArray, int]],
    replies: Sequence[Sequence[IntArray]],
    found: list[NDArray[np.float32]],
) -> None:
    """Score rows of one length."""
    ids = torch.from_numpy(np.stack([ids for _, _, ids, _ in rows]).astype(np.int64)).to(policy.device)
    kept = 1 + max(scored for *_, scored in rows)
    logits = policy.model(input_ids=ids, use_cache=False, logits_to_keep=kept).logits.float()
    logprobs = logits.log_softmax(-1).cpu().numpy()
    for (number, reply, row, scored), table in zip(rows, logprobs, strict=True):
        if reply < 0:
            found[number][:] = table[-1, [int(some[0]) for some in replies[number]]]
        else:
            said = row[-scored:]
            found[number][reply] = table[-1 - scored : -1][np.arange(scored), said].sum()
