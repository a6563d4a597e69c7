"""Whether an engine computes what the trainer computes: log-probabilities of a few fixed contexts, from both."""

from dataclasses import dataclass

import numpy as np
import torch
from palaestra.agents.local import LocalPolicy
from palaestra.agents.policy import FloatArray, IntArray
from palaestra.envs.errors import SynchronisationError

__all__ = ["Agreement", "Probe"]

_CONTEXTS = 4
_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Agreement:
    """How near two sets of log-probabilities are.

    Attributes:
        largest: Largest difference in nats.
        mean: Mean difference in nats.
    """

    largest: float
    mean: float


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What rounding may do to a log-probability: `absolute + relative * abs(logprob)`, in nats."""

    absolute: float
    relative: float


TOLERANCES = {"float32": Tolerance(2e-3, 1e-3), "bfloat16": Tolerance(0.1, 0.03), "float16": Tolerance(0.03, 0.01)}


class Probe:
    """Fixed contexts of random ids; any weight of a model has its part in their log-probabilities.

    Args:
        vocabulary: Number of ids.
        limit: Most tokens of a context.
    """

    def __init__(self, vocabulary: int, limit: int) -> None:
        size = _CONTEXTS, min(_LENGTH, limit - 1)
        self.contexts: IntArray = np.random.default_rng(0).integers(0, vocabulary, size, np.int32)

    @torch.inference_mode()
    def of(self, policy: LocalPolicy) -> FloatArray:
        """Return the `[K, L - 1]` log-probabilities of the contexts' ids from the second on, by the trainer."""
        training = policy.model.training
        policy.model.train(False)
        try:
            ids = torch.from_numpy(self.contexts).long().to(policy.device)
            logprobs = policy.model(input_ids=ids).logits[:, :-1].float().log_softmax(-1)
        finally:
            policy.model.train(training)
        found: FloatArray = logprobs.gather(-1, ids[:, 1:, None])[..., 0].cpu().numpy()
        return found

    def compare(self, engine: FloatArray, trainer: FloatArray, dtype: str) -> Agreement:
        """Return how near an engine of a `dtype` is to the trainer.

        Args:
            engine: `[K, L - 1]` as `of`, by the engine.
            trainer: `[K, L - 1]` by the trainer.
            dtype: Numbers that the engine computes with.

        Raises:
            SynchronisationError: If a difference is larger than rounding explains.
        """
        tolerance = TOLERANCES[dtype]
        differences = np.abs(engine - trainer)
        allowed = tolerance.absolute + tolerance.relative * np.abs(trainer)
        found = Agreement(float(differences.max()), float(differences.mean()))
        # Not "greater than", which is false of numbers that are not finite.
        if not (differences <= allowed).all():
            worst = np.unravel_index(np.argmax(differences - allowed), differences.shape)
            raise SynchronisationError(
                f"The engine does not compute what the trainer computes: of {differences.size} log-probabilities the "
                f"largest difference is {found.largest:.4g} nats, the mean {found.mean:.4g}; in {dtype} a "
                f"log-probability of {trainer[worst]:.4g} may differ by {allowed[worst]:.4g}, and the engine says "
                f"{engine[worst]:.4g}. Weights are missing in the engine or stale; what it samples is of no use to "
                "learn from. Check that the engine supports this model, or sample with the local policy."
            )
        return found
