"""A library of programs that work."""

from collections.abc import Sequence
from dataclasses import dataclass

from palaestra.agents.episode import Episode
from palaestra.agents.memory.context import Context
from palaestra.agents.memory.entry import Kind
from palaestra.envs.code.environment import CodeQuestions
from palaestra.envs.code.program import program_of
from palaestra.envs.errors import UsageError
from palaestra.envs.verdict import Status
from palaestra.evolution.updating.in_context.study import Study

__all__ = ["CollectSkills"]


@dataclass(frozen=True)
class CollectSkills:
    """Remember the programs of right episodes, each run again in the sandbox before it enters.

    A program that passes once by chance, or only where it was first run, does not enter. Equal programs are one skill,
    with a vote for each task that it solved; attempts of one step that write the same for the same task are one vote.

    Source: Wang et al. 2023, "Voyager: an open-ended embodied agent with large language models".

    Attributes:
        runs: How often a program must pass the tests of its task again.
    """

    runs: int = 2

    def __post_init__(self) -> None:
        if self.runs < 1:
            raise UsageError(f"runs must be at least 1, got {self.runs}: what enters the library was verified.")

    def __call__(self, present: Context, episodes: Sequence[Episode], study: Study) -> Context | None:
        """Propose the context with the skills that were verified; see `Revise`.

        Raises:
            UsageError: If the environment's replies are no programs.
        """
        draft = present.draft()
        right = dict[tuple[str, str], Episode]()
        for episode in episodes:
            if episode.valid and episode.correct:
                right.setdefault((episode.task, _program(episode, study)), episode)
        # Recorded: whether a program ends in time may be another matter on another day.
        verified = study.find_out("verify", lambda: [self._passes(episode, study) for episode in right.values()])
        for ((_, program), episode), passes in zip(right.items(), verified, strict=True):
            if passes:
                draft.memory.add(
                    Kind.SKILL, program, key=episode.turns[0].observation, provenance=study.provenance(episode.id)
                )
        return draft

    def _passes(self, episode: Episode, study: Study) -> bool:
        world, task, reply = _world(episode, study), study.task(episode), episode.turns[-1].action
        return all(world.judgement(task, reply).status is Status.CORRECT for _ in range(self.runs))


def _world(episode: Episode, study: Study) -> CodeQuestions:
    world = study.yard.rollout.env(episode.env)
    if not isinstance(world, CodeQuestions):
        raise UsageError(
            f"Skills are programs that the sandbox has run, and replies in {episode.env} are none. Choose an "
            "environment of programs, such as synthesis or palaestra/Code-v0."
        )
    return world


def _program(episode: Episode, study: Study) -> str:
    """Return the program of a reply, without what stands around it."""
    _world(episode, study)
    reply = episode.turns[-1].action
    return (program_of(study.task(episode), reply) if "```" in reply else reply).strip()
