"""Lessons from failed trials, kept where trying again with them succeeded."""

from collections.abc import Sequence
from dataclasses import dataclass

from palaestra.agents.episode import Episode
from palaestra.agents.memory.context import Context
from palaestra.agents.memory.entry import Kind
from palaestra.evolution.updating.in_context.study import Study
from palaestra.evolution.updating.in_context.trials import Trials

__all__ = ["Reflexion"]

_TRIALS = Trials()


@dataclass(frozen=True)
class Reflexion:
    """Remember the lessons of every task that was solved at a later trial.

    Source: Shinn et al. 2023, "Reflexion: language agents with verbal reinforcement learning".

    Attributes:
        trials: How failed tasks are tried again.
    """

    trials: Trials = _TRIALS

    def __call__(self, present: Context, episodes: Sequence[Episode], study: Study) -> Context | None:
        """Propose the context with the lessons that helped; see `Revise`."""
        draft = present.draft()
        solved = [story for story in self.trials(present, episodes, study) if story.solved]
        for story in solved:
            for lesson, trial in zip(story.lessons, story.episodes, strict=False):
                draft.memory.add(Kind.INSIGHT, lesson, key=story.task.prompt, provenance=study.provenance(trial.id))
        return draft if solved else None
