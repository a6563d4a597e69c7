"""Self-Refine: answer, say what is wrong with it, answer again, until one finds nothing wrong."""

from palaestra.agents.drafting import Drafts
from palaestra.agents.policy import Sampling
from palaestra.evolution.acquisition.answered import Answered
from palaestra.evolution.acquisition.groups import SampleGroups
from palaestra.evolution.evaluation.correcting import Arm, Correcting
from palaestra.evolution.recipe import Recipe
from palaestra.evolution.refinement.aside import SetAside
from palaestra.evolution.updating.unchanged import Unchanged

__all__ = ["self_refine"]


def self_refine() -> Recipe:
    """Madaan et al. 2023, "Self-Refine: iterative refinement with self-feedback".

    As published: one model answers, gives feedback on its answer and refines it by that, up to four times, until its
    feedback says that nothing is left to do; temperature 0.7. Nothing is trained.

    Not as published: one conversation in place of three prompts with examples, and one request for feedback in place of
    one for each task (`evaluate.arms.0.how.ask`).
    """
    drafts, sampling = Drafts(rounds=4), Sampling(max_tokens=64, temperature=0.7)
    return Recipe(
        name="self-refine",
        acquire=Answered(SampleGroups(groups=64, attempts=1, sampling=sampling), drafts),
        refine=(SetAside(),),
        update=Unchanged(),
        evaluate=Correcting(arms=(Arm("self-refine", drafts),), sampling=sampling),
        steps=1,
        evaluate_every=1,
        checkpoint_every=1,
    )
