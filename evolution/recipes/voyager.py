"""Collect programs that work, under a curriculum of tasks that are solved sometimes."""

from palaestra.agents.memory.context import Recall
from palaestra.agents.policy import Sampling
from palaestra.evolution.acquisition.curriculum import Curriculum
from palaestra.evolution.acquisition.groups import SampleGroups
from palaestra.evolution.evaluation.held_out import HeldOut
from palaestra.evolution.recipe import Recipe
from palaestra.evolution.updating.in_context.update import InContext
from palaestra.evolution.updating.in_context.voyager import CollectSkills

__all__ = ["voyager"]


def voyager() -> Recipe:
    """Wang et al. 2023, "Voyager: an open-ended embodied agent with large language models".

    As published: a library of programs, each verified before it enters and found again by what it was for; and an
    automatic curriculum.

    Not as published: the curriculum chooses among given tasks by how often they were solved, where the paper's model
    proposes them; programs are verified by the sandbox and the tests of their task, not by the model; and what is
    recalled is told as text, so one that needs a skill writes it out.
    """
    return Recipe(
        name="voyager",
        acquire=Curriculum(SampleGroups(groups=16, attempts=4, sampling=Sampling(max_tokens=256, temperature=0.7))),
        refine=(),
        update=InContext(CollectSkills(), recall=Recall(tokens=1_024, insights=0, skills=5)),
        evaluate=HeldOut(sampling=Sampling(max_tokens=256)),
        steps=8,
        evaluate_every=2,
        checkpoint_every=1,
    )
