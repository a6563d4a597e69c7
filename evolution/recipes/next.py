"""Program repair with execution traces: keep what passes the tests, fine-tune the first policy on it, again."""

from palaestra.agents.policy import Sampling
from palaestra.evolution.acquisition.groups import SampleGroups
from palaestra.evolution.evaluation.held_out import HeldOut
from palaestra.evolution.recipe import Recipe
from palaestra.evolution.refinement.filters import KeepCorrect
from palaestra.evolution.updating.finetune import Finetune

__all__ = ["next_"]


def next_() -> Recipe:
    """Ni et al. 2024, "NExT: teaching large language models to reason about code execution".

    As published: programs come with their execution trace as inline comments; 32 rationales with a fix are sampled for
    each at temperature 0.8, those whose fix passes all tests are kept, and the first checkpoint is fine-tuned on them;
    ten rounds. A world without traces that is watched (`--watch 'mend?trace=off'`) is the test without a trace.

    Not as published: a round samples some of the programs, not all; rationales have no form of their own, they are what
    stands before the fix; the round of the best validation is not looked for, the last one is the result.
    """
    return Recipe(
        name="next",
        acquire=SampleGroups(groups=128, attempts=32, sampling=Sampling(max_tokens=64, temperature=0.8)),
        refine=(KeepCorrect(),),
        update=Finetune(start_from="base"),
        evaluate=HeldOut(tasks=400),
        steps=10,
        evaluate_every=1,
        checkpoint_every=1,
    )
