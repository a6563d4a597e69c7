"""Bootstrap reasoning: learn from rationales that reach the answer, and from those that explain one that was told."""

from palaestra.agents.policy import Sampling
from palaestra.evolution.acquisition.groups import SampleGroups
from palaestra.evolution.acquisition.rationalise import Rationalise
from palaestra.evolution.evaluation.held_out import HeldOut
from palaestra.evolution.recipe import Recipe
from palaestra.evolution.refinement.filters import KeepCorrect
from palaestra.evolution.refinement.hindsight import ForgetHint
from palaestra.evolution.updating.finetune import Finetune

__all__ = ["star"]


def star() -> Recipe:
    """Zelikman et al. 2022, "STaR: bootstrapping reasoning with reasoning".

    As published: one greedy rationale a task; where it fails, one with the answer as a hint; what reaches the answer is
    kept, without the hint, and the base is fine-tuned on it in every round. `--set acquire.attempts=0` leaves
    rationalisation out.

    Not as published: the passes over what is kept are the same in every round, where the paper lengthens training by a
    fifth each; and a round samples some tasks, not all.
    """
    return Recipe(
        name="star",
        acquire=Rationalise(SampleGroups(groups=1_000, attempts=1, sampling=Sampling(max_tokens=64, temperature=0.0))),
        refine=(KeepCorrect(), ForgetHint()),
        update=Finetune(start_from="base", epochs=3),
        evaluate=HeldOut(),
        steps=4,
        evaluate_every=1,
        checkpoint_every=1,
    )
