"""Simulated consultations: an inner loop mends each by what a critic says, an outer one learns from those that are."""

from palaestra.agents.policy import Sampling
from palaestra.evolution.acquisition.groups import SampleGroups
from palaestra.evolution.acquisition.with_critic import WithCritic
from palaestra.evolution.evaluation.held_out import HeldOut
from palaestra.evolution.recipe import Recipe
from palaestra.evolution.refinement.filters import KeepCorrect
from palaestra.evolution.refinement.hindsight import ForgetHint
from palaestra.evolution.refinement.mended import KeepMended
from palaestra.evolution.updating.finetune import Finetune

__all__ = ["amie"]


def amie() -> Recipe:
    """Tu et al. 2024, "Towards conversational diagnostic AI" (AMIE).

    As published: the policy consults simulated patients; a critic who knows the truth says what a consultation missed,
    and the same patient is consulted again with these words in the context (inner loop); the policy is fine-tuned on
    the consultations that were mended so, without the critic's words, and then consults again (outer loop).
    `--set acquire.trials=0` leaves the critic out.

    Not as published: patient and critic are the world's own and not the same language model; only consultations that
    end with the right condition are learned from; each round fine-tunes the base, on its own consultations alone.
    """
    return Recipe(
        name="amie",
        acquire=WithCritic(SampleGroups(groups=512, attempts=1, sampling=Sampling(max_tokens=32)), trials=2),
        refine=(KeepMended(), KeepCorrect(), ForgetHint()),
        update=Finetune(start_from="base", epochs=3),
        evaluate=HeldOut(sampling=Sampling(max_tokens=32)),
        steps=3,
        evaluate_every=1,
        checkpoint_every=1,
    )
