"""The update that changes nothing: of methods whose whole effect lies in how a policy is asked.

It needs no weights, so a model on a server can be its policy as well as one in this process.
"""

from dataclasses import dataclass

__all__ = ["Unchanged"]


@dataclass(frozen=True)
class Unchanged:
    """An update that changes nothing; see `palaestra.evolution.learner.FixedLearner`."""
