"""Refine by what programs do: keep those on which most programs and most tests agree; no verdict is looked at."""

from collections.abc import Sequence
from dataclasses import dataclass

from palaestra.agents.episode import Episode
from palaestra.envs.code.consensus import RunsPrograms, consensus
from palaestra.envs.errors import UsageError
from palaestra.envs.seeding import derive_generator
from palaestra.evolution.refinement.groups import by_group
from palaestra.evolution.yard import Yard

__all__ = ["KeepConsensus"]


@dataclass(frozen=True)
class KeepConsensus:
    """Keep of each group the programs of the consensus set with the highest score, |programs| x |tests|.

    The first half of a group are the programs, the other half writes tests: inputs are drawn, and what a reply of that
    half gives for one is a test. Where the two best sets are even, nothing is kept.

    Source: Chen et al. 2022, "CodeT: code generation with generated tests".

    Attributes:
        inputs: Inputs that are drawn for each task.
    """

    inputs: int = 8

    def __post_init__(self) -> None:
        if self.inputs < 1:
            raise UsageError(f"inputs must be at least 1, got {self.inputs}.")

    def at(self, yard: Yard, step: int) -> "_Agreed":
        """Return the part that runs programs in the worlds of a run."""
        return _Agreed(yard, step, self.inputs)


@dataclass(frozen=True)
class _Agreed:
    yard: Yard
    step: int
    inputs: int

    def __call__(self, episodes: Sequence[Episode]) -> list[Episode]:
        """Return the programs that agree, group by group.

        Raises:
            UsageError: If programs of a world cannot be run on inputs that are drawn.
        """
        kept: list[Episode] = []
        for name, group in by_group(episodes).items():
            world = self.yard.rollout.env(group[0].env)
            if not isinstance(world, RunsPrograms):
                raise UsageError(
                    f"{group[0].env} says neither what its programs can be called with nor what they give: take "
                    "palaestra/Synthesis-v0, or let its class be a palaestra.envs.code.consensus.RunsPrograms."
                )
            draw = derive_generator(self.yard.seed, "inputs", group[0].env, self.step, name)
            inputs = world.inputs(draw, self.inputs)
            task = world.tasks.by_id(group[0].task)
            given = world.returned(task, [episode.turns[-1].action for episode in group], inputs)
            half = len(group) // 2
            sets = consensus(given[:half], given[half:])
            if sets and (len(sets) == 1 or sets[0].score > sets[1].score):
                kept += [group[number] for number in sets[0].programs]
        return kept
