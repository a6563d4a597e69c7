"""Self-Debug: write a program, run it on the tests that are shown, mend it by what came of that."""

from palaestra.agents.drafting import Drafts
from palaestra.agents.policy import Sampling
from palaestra.envs.feedback import EXPLAIN
from palaestra.evolution.acquisition.answered import Answered
from palaestra.evolution.acquisition.groups import SampleGroups
from palaestra.evolution.evaluation.correcting import Arm, Correcting
from palaestra.evolution.recipe import Recipe
from palaestra.evolution.refinement.aside import SetAside
from palaestra.evolution.updating.unchanged import Unchanged

__all__ = ["self_debug"]


def self_debug() -> Recipe:
    """Chen et al. 2023, "Teaching large language models to self-debug".

    As published: a program is run on the tests that the prompt shows; what failed is told and the program is mended,
    until those tests pass or ten turns are over (three here), greedily. Three arms: what failed is told; the policy is
    only asked to answer again; and what failed is told and the program is first explained in the policy's own words.
    Hidden tests decide what is right and tell nothing. Nothing is trained.

    Not as published: no worked examples in the prompt.
    """
    sampling = Sampling(max_tokens=64, temperature=0.0)
    told = Drafts(rounds=3, judged_by="trial", ask="")
    return Recipe(
        name="self-debug",
        acquire=Answered(SampleGroups(groups=64, attempts=1, sampling=Sampling(max_tokens=64)), told),
        refine=(SetAside(),),
        update=Unchanged(),
        evaluate=Correcting(
            arms=(
                Arm("execution", told),
                Arm("again", Drafts(rounds=3, judged_by="trial", tell=False, ask="")),
                Arm("explained", Drafts(rounds=3, judged_by="trial", ask=EXPLAIN, stop="")),
            ),
            sampling=sampling,
        ),
        steps=1,
        evaluate_every=1,
        checkpoint_every=1,
    )
