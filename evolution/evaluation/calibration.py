"""Whether a policy is as often right as it is sure."""

from collections.abc import Sequence

import numpy as np
from palaestra.agents.episode import Episode
from palaestra.envs.errors import ShapeError

__all__ = ["calibration_error", "confidence"]


def calibration_error(confidences: Sequence[float], correct: Sequence[bool], bins: int = 10) -> float:
    """Return the expected calibration error: how far confidence and accuracy are apart, bin by bin.

    Args:
        confidences: `[N]` from 0 to 1, N at least 1.
        correct: `[N]` whether each was right.
        bins: Number of bins of equal width; each holds its upper end, the first also 0.

    Returns:
        0 (as often right as sure, in every bin) to 1.

    Raises:
        ShapeError: If the two do not match, there are none, or a confidence is out of range.

    Source: Guo et al. 2017, "On calibration of modern neural networks", equation 3.
    """
    sure, right = np.asarray(confidences, np.float64), np.asarray(correct, np.float64)
    if sure.shape != right.shape or sure.ndim != 1 or not len(sure) or bins < 1:
        raise ShapeError(f"Expected [N] confidences, [N] answers and bins, got {sure.shape}, {right.shape}, {bins}.")
    if not ((sure >= 0) & (sure <= 1)).all():
        raise ShapeError(f"Confidences lie between 0 and 1, got {sure.min()} to {sure.max()}.")
    numbers = np.clip(np.ceil(sure * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(numbers, sure - right, bins)
    return float(np.abs(gaps).sum() / len(sure))


def confidence(episode: Episode) -> float | None:
    """Return how sure the policy was of what it said: its probability a token, as a geometric mean; None if unknown."""
    sampled = [turn.logprobs for turn in episode.turns if len(turn.logprobs)]
    if not sampled:
        return None
    # Rounding may leave a certain token a little above 0.
    return float(np.exp(min(0.0, float(np.concatenate(sampled).astype(np.float64).mean()))))
