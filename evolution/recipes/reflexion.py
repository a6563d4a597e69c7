"""Learn from failed trials by lessons that are told, not trained."""

from palaestra.agents.memory.context import Recall
from palaestra.agents.policy import Sampling
from palaestra.evolution.acquisition.groups import SampleGroups
from palaestra.evolution.evaluation.held_out import HeldOut
from palaestra.evolution.recipe import Recipe
from palaestra.evolution.updating.in_context.reflexion import Reflexion
from palaestra.evolution.updating.in_context.update import InContext

__all__ = ["reflexion"]


def reflexion() -> Recipe:
    """Shinn et al. 2023, "Reflexion: language agents with verbal reinforcement learning".

    As published: after a failed trial the policy writes a lesson from the judge's feedback, and tries again with its
    last lessons told (at most three). No weight changes.

    Not as published: lessons that helped are kept for other tasks as well, within a budget of tokens, if tasks set
    aside are solved no worse with them; the paper keeps each task's lessons for that task.
    """
    return Recipe(
        name="reflexion",
        acquire=SampleGroups(groups=24, attempts=1, sampling=Sampling(max_tokens=64, temperature=0.0)),
        refine=(),
        update=InContext(Reflexion(), recall=Recall(tokens=256, insights=16)),
        evaluate=HeldOut(),
        steps=8,
        evaluate_every=2,
        checkpoint_every=1,
    )
