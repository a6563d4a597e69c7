"""Instructions evolved by reflection on a front of candidates."""

from palaestra.agents.policy import Sampling
from palaestra.evolution.acquisition.groups import SampleGroups
from palaestra.evolution.evaluation.held_out import HeldOut
from palaestra.evolution.recipe import Recipe
from palaestra.evolution.updating.in_context.gepa import Gepa
from palaestra.evolution.updating.in_context.update import InContext, Validation

__all__ = ["gepa"]


def gepa() -> Recipe:
    """Agrawal et al. 2025, "GEPA: reflective prompt evolution can outperform reinforcement learning".

    As published: a pool of candidate instructions, each with its score at every task of a Pareto set; a candidate is
    drawn in proportion to the tasks it is best on; the policy reads three tasks, its replies and the judge's words and
    writes other instructions; those that earn more on the three are played on the Pareto set and enter the pool; two
    candidates of one ancestor are merged now and then; a budget of rollouts ends it.

    Not as published: there is one module, the instructions, so a merge is one of lines; and the best candidate is
    validated on tasks set aside before it is told.
    """
    return Recipe(
        name="gepa",
        acquire=SampleGroups(groups=12, attempts=1, sampling=Sampling(max_tokens=64, temperature=0.0)),
        refine=(),
        update=InContext(Gepa(), validate=Validation(tasks=32), writing=Sampling(max_tokens=512, temperature=0.7)),
        evaluate=HeldOut(),
        steps=8,
        evaluate_every=2,
        checkpoint_every=1,
    )
