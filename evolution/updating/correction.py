"""Importance correction between the engine that sampled and the policy that learns, and how far they are apart.

Three policies take part in an update. The *behaviour* policy sampled: an engine of other numerics, or weights of some
versions ago. The *proximal* policy is the learner's as the update begins, and the clipped ratio compares the policy
that is being learned with it. What lies between behaviour and proximal policy is not the update's doing, so it is not
clipped but weighed: the loss of a token is multiplied by `w = p_proximal / p_behaviour`, held constant.

Source: Hilton et al. 2022, "Batch size-invariance for policy optimization" (the decoupled objective); Yao et al. 2025,
"Your efficient RL framework secretly brings you off-policy RL training" (truncated weights); definitions as in TRL.
"""

from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Correction", "Level", "effective_share", "gap", "importance_weights"]

Correction: TypeAlias = Literal["none", "truncate", "mask"]
"""What is done with weights above the cap: they are cut to it, or what they weigh is left out."""
Level: TypeAlias = Literal["token", "sequence"]
"""Whether each token has a weight of its own, or a row the product of its tokens'."""

Array: TypeAlias = NDArray[np.floating[Any]]


def importance_weights(
    log_ratios: Array, sampled: NDArray[np.int64], correction: Correction, level: Level, cap: float
) -> NDArray[np.float64]:
    """Return what each sampled token's loss is multiplied by.

    Args:
        log_ratios: `[B, L]` log-probability under the proximal policy less that under the behaviour policy, in nats.
        sampled: `[B, L]` 1 where the policy sampled the id, else 0.
        correction: `"none"` weighs everything 1.
        level: See `Level`; a row's weight is `exp` of the sum over its sampled tokens.
        cap: Greatest weight.

    Returns:
        `[B, L]` weights; 1 where nothing was sampled.
    """
    if correction == "none":
        return np.ones(log_ratios.shape)
    ratios = np.where(sampled == 1, log_ratios, 0.0).astype(np.float64)
    if level == "sequence":
        ratios = np.broadcast_to(ratios.sum(axis=1, keepdims=True), ratios.shape)
    # No cap is near e^80; beyond it exp would overflow.
    weights = np.exp(np.minimum(ratios, 80.0))
    weights = np.minimum(weights, cap) if correction == "truncate" else np.where(weights > cap, 0.0, weights)
    return np.where(sampled == 1, weights, 1.0)


def effective_share(weights: Array) -> float:
    """Return the effective sample size of `[N]` weights over N, `(sum w)^2 / (N sum w^2)`; 1 of none.

    Source: Kish 1965, "Survey sampling".
    """
    squares = float(np.square(weights, dtype=np.float64).sum())
    if len(weights) == 0:
        return 1.0
    return float(weights.sum(dtype=np.float64)) ** 2 / (len(weights) * squares) if squares > 0 else 0.0


def gap(log_ratios: Array) -> dict[str, float]:
    """Say how far the policy that learns is from the one that sampled, by the tokens sampled.

    Args:
        log_ratios: `[T]` log-probability under the learner less that under the sampler, in nats.

    Returns:
        `gap`, the mean of their absolute values; `gap_kl`, an estimate of the divergence of the sampler from the
        learner, `exp(d) - 1 - d` (Schulman 2020, "Approximating KL divergence", k3), both in nats a token.
    """
    if len(log_ratios) == 0:
        return {"gap": 0.0, "gap_kl": 0.0}
    ratios = np.minimum(log_ratios.astype(np.float64), 80.0)
    return {"gap": float(np.abs(ratios).mean()), "gap_kl": float((np.expm1(ratios) - ratios).mean())}
