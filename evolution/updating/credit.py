"""Credit: how much better each turn went than the other attempts of its group. Pure functions of rewards.

Several turns get credit each on their own, not one number smeared over the episode. The return of a turn is what was
paid from that turn on, `G_t = r_t + gamma * r_{t+1} + ...`, and it is compared with its *peers*: the returns at the
same turn index of all attempts of the group that lived that long. A turn that one attempt alone lived to see has no
peers of its own age; it is compared with the other attempts' whole returns (theirs at turn 0). For attempts of a single
turn all of this is the ordinary estimator of the name, on the episode's reward.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray
from palaestra.envs.errors import UnknownNameError, UsageError

__all__ = ["CREDITS", "Credit", "Rewards", "advantages", "is_uniform", "returns"]

Credit: TypeAlias = Literal["grpo", "dr_grpo", "rloo", "reinforce++"]
CREDITS: tuple[Credit, ...] = get_args(Credit)

Rewards: TypeAlias = Sequence[float]
"""`[T]` rewards of one attempt, one a turn."""

Array: TypeAlias = NDArray[np.float64]

# What TRL adds to the deviation of a group (`scale_rewards="group"`).
_GROUP_EPSILON = 1e-4
# Keeps a batch without any difference at zero; far below any real deviation.
_BATCH_EPSILON = 1e-8


def returns(rewards: Rewards, gamma: float = 1.0) -> Array:
    """Sum the rewards from each turn on, `G_t = sum over k >= t of gamma^(k - t) * r_k`.

    Args:
        rewards: `[T]` rewards of one attempt.
        gamma: Discount a turn, from 0 to 1.

    Returns:
        `[T]` returns.

    Raises:
        UsageError: If a reward is not finite or the discount is out of range.
    """
    paid = np.asarray(rewards, np.float64)
    if not np.isfinite(paid).all():
        raise UsageError(f"Rewards must be finite, got {paid.tolist()}; leave invalid episodes out of the group.")
    if not 0.0 <= gamma <= 1.0:
        raise UsageError(f"gamma must lie in [0, 1], got {gamma}.")
    result = paid.copy()
    for turn in range(len(paid) - 2, -1, -1):
        result[turn] += gamma * result[turn + 1]
    return result


def advantages(groups: Sequence[Sequence[Rewards]], credit: Credit = "grpo", gamma: float = 1.0) -> list[list[Array]]:
    """Compare every turn with its peers (see the module).

    With peers `x_1 ... x_n`, their mean `m` and their deviation `s` (of the sample, divided by n - 1):

    - `"grpo"`: `(x_i - m) / (s + 1e-4)`. Shao et al. 2024, "DeepSeekMath"; deviation and constant as in TRL.
    - `"dr_grpo"`: `x_i - m`. Liu et al. 2025, "Understanding R1-Zero-like training".
    - `"rloo"`: `x_i` less the mean of the other n - 1. Ahmadian et al. 2024, "Back to basics".
    - `"reinforce++"`: `x_i - m`, then divided by the root mean square of these over all turns of all groups. Hu et al.
      2025, "REINFORCE++", the variant with a baseline. The paper also takes away the batch's mean, which is zero for
      attempts of one turn; it is not taken away here, so that a uniform group stays at zero.

    Args:
        groups: P groups of attempts at one task each; attempts may differ in number and in turns. Only valid ones: a
            failure of our machinery is never a reward, so it must not reach a group's mean either.
        credit: The estimator.
        gamma: Discount a turn.

    Returns:
        For each group, for each attempt, `[T]` advantages. Zero throughout a group with fewer than two attempts, and
        exactly zero for turns whose peers are all equal.

    Raises:
        UnknownNameError: If the estimator is not known.
        UsageError: If a reward is not finite or the discount is out of range.
    """
    if credit not in _COMPARE:
        raise UnknownNameError("credit", credit, CREDITS)
    scored = [_compare_group([returns(r, gamma) for r in group], _COMPARE[credit]) for group in groups]
    if credit != "reinforce++":
        return scored
    # A group without comparison says nothing about how far rewards spread.
    compared = [turn for group in scored if len(group) > 1 for turn in group]
    spread = float(np.sqrt(np.mean(np.square(np.concatenate(compared))))) if compared else 0.0
    return [[turn / (spread + _BATCH_EPSILON) for turn in group] for group in scored]


def is_uniform(group: Sequence[Rewards], gamma: float = 1.0) -> bool:
    """Whether no turn of the group went better than its peers, so that no estimator here learns from it."""
    return not any(turns.any() for turns in advantages([group], "dr_grpo", gamma)[0])


def _compare_group(group: Sequence[Array], compare: Callable[[Array], Array]) -> list[Array]:
    result = [np.zeros(len(turns)) for turns in group]
    lived = [i for i, turns in enumerate(group) if len(turns)]
    if len(lived) < 2:
        return result
    for turn in range(max(len(group[i]) for i in lived)):
        alive = [i for i in lived if len(group[i]) > turn]
        peers = [group[i][turn] for i in alive]
        if len(alive) == 1:
            peers += [group[i][0] for i in lived if i != alive[0]]
        for i, advantage in zip(alive, compare(np.array(peers)), strict=False):
            result[i][turn] = advantage
    return result


def _centred(peers: Array) -> Array:
    # The mean of equal numbers may differ from them in the last bit; of zeros it does not.
    shifted = peers - peers[0]
    return np.asarray(shifted - shifted.mean())


def _standardised(peers: Array) -> Array:
    centred = _centred(peers)
    return np.asarray(centred / (np.sqrt(np.square(centred).sum() / (len(peers) - 1)) + _GROUP_EPSILON))


def _left_out(peers: Array) -> Array:
    return _centred(peers) * (len(peers) / (len(peers) - 1))


_COMPARE: Mapping[Credit, Callable[[Array], Array]] = {
    "grpo": _standardised,
    "dr_grpo": _centred,
    "rloo": _left_out,
    "reinforce++": _centred,
}
