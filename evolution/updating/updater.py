"""The contract of the update phase: a method, and what carries it out step by step."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from palaestra.agents.episode import Episode
from palaestra.agents.policy import Sampling
from palaestra.evolution.updating.peers import Peers
from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["Beginning", "RefusesPeers", "TakesTurns", "Trainable", "Update", "Updater"]


class Trainable(Protocol):
    """A policy whose weights are in this process.

    Attributes:
        version: How many updates the weights have taken; an updater adds one a step.
    """

    version: int

    @property
    def model(self) -> PreTrainedModel:
        """The model; parameters that are to be trained are float32 and require a gradient."""
        ...

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """Its tokenizer."""
        ...


class Updater(Protocol):
    """A method at work on one policy."""

    def step(self, episodes: Sequence[Episode]) -> dict[str, float]:
        """Change the policy's weights in place and add one to its version.

        Nothing outside is disturbed: neither anyone's random state, nor how the model runs between steps.

        Args:
            episodes: What to learn from; episodes that are not valid are passed over.

        Returns:
            Figures of the step, among them `loss`, `rows`, `tokens` and `seconds`.

        Raises:
            InfrastructureError: If a gradient is not finite; the weights of that optimiser step are not changed.
        """
        ...

    def save(self, directory: Path) -> None:
        """Write all that a later step depends on, but for the policy's weights and version.

        Where processes divide the weights all of them call it, and the first one writes.
        """
        ...

    def load(self, directory: Path) -> None:
        """Continue what `save` wrote, as if never interrupted; the policy must hold the weights of that moment."""
        ...


@runtime_checkable
class TakesTurns(Protocol):
    """An updater that must know the run's step: one in which nothing was left to learn is a step of the run, too."""

    def turn_to(self, step: int) -> None:
        """Say which step of the run the next call of `step` is, from 1 on."""
        ...


@dataclass(frozen=True)
class Beginning:
    """What work on a policy begins with, whatever the method.

    Attributes:
        seed: Seed of everything random in it.
        planned_steps: How often `step` will be called, for the learning rate's schedule.
        sampling: How the policy samples: log-probabilities are compared at its temperature, and its token limit is the
            length that some losses divide by.
        scratch: Folder for what the trainer writes, such as logs for trackers.
        report_to: Trackers by the trainer's names, such as `"tensorboard"` or `"wandb"`. They are told what trainers
            log; a reward model's figures, and those of judging in stages, are returned alone.
        peers: The processes that train the policy together; each begins and takes every step alike.
    """

    seed: int
    planned_steps: int
    sampling: Sampling
    scratch: Path
    report_to: Sequence[str] = ()
    peers: Peers = field(default_factory=Peers)


class Update(Protocol):
    """A method and its settings."""

    def start(self, policy: Trainable, beginning: Beginning) -> Updater:
        """Begin work on a policy, whose weights now are the reference, or the base, of methods that have one.

        Raises:
            UsageError: If the policy cannot be trained.
        """
        ...


@runtime_checkable
class RefusesPeers(Protocol):
    """A method that not every number of processes can carry out; it is asked before a run is made."""

    def refuse_peers(self, peers: Peers) -> None:
        """Raise `UsageError` if these processes cannot carry the method out."""
        ...
