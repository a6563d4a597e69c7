"""Self-consistency: sample several answers and take the one that most of them come down to."""

from palaestra.agents.panel import Panels
from palaestra.agents.policy import Sampling
from palaestra.evolution.acquisition.answered import Answered
from palaestra.evolution.acquisition.groups import SampleGroups
from palaestra.evolution.evaluation.correcting import Arm, Correcting
from palaestra.evolution.recipe import Recipe
from palaestra.evolution.refinement.aside import SetAside
from palaestra.evolution.updating.unchanged import Unchanged

__all__ = ["self_consistency"]


def self_consistency() -> Recipe:
    """Wang et al. 2023, "Self-consistency improves chain of thought reasoning in language models".

    As published: 40 replies at temperature 0.7, the final answer that most of them reach, against one greedy reply.
    Nothing is trained.

    Not as published: no worked examples in the prompt.
    """
    panels, sampling = Panels(members=40, rounds=0), Sampling(max_tokens=64, temperature=0.7)
    return Recipe(
        name="self-consistency",
        acquire=Answered(SampleGroups(groups=16, attempts=1, sampling=sampling), panels),
        refine=(SetAside(),),
        update=Unchanged(),
        evaluate=Correcting(arms=(Arm("vote", panels),), sampling=sampling, alone="greedy"),
        steps=1,
        evaluate_every=1,
        checkpoint_every=1,
    )
