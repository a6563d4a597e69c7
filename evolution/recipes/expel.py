"""Learn from pairs of tries: insights that are voted on, and successes that are recalled."""

from palaestra.agents.memory.context import Recall
from palaestra.agents.policy import Sampling
from palaestra.evolution.acquisition.groups import SampleGroups
from palaestra.evolution.evaluation.held_out import HeldOut
from palaestra.evolution.recipe import Recipe
from palaestra.evolution.updating.in_context.expel import Expel
from palaestra.evolution.updating.in_context.update import InContext

__all__ = ["expel"]


def expel() -> Recipe:
    """Zhao et al. 2024, "ExpeL: LLM agents are experiential learners".

    As published: tasks are tried, failed ones again with lessons, as in Reflexion; from a failed and a successful try
    at the same task the policy adds, edits, upvotes or downvotes insights (two votes at first, none left: forgotten);
    before a task it is told the insights and the most similar successes.

    Not as published: what is similar is found by words unless an encoder is named; insights are not drawn from lists
    of successes alone; and every change is validated on tasks set aside.
    """
    return Recipe(
        name="expel",
        acquire=SampleGroups(groups=24, attempts=1, sampling=Sampling(max_tokens=64, temperature=0.0)),
        refine=(),
        update=InContext(Expel(), recall=Recall(tokens=512, insights=16, episodes=2)),
        evaluate=HeldOut(),
        steps=8,
        evaluate_every=2,
        checkpoint_every=1,
    )
