"""Weak to strong: a strong policy learns from the labels of a weak one, and may come to surpass it."""

from palaestra.envs.math.verify import RIGHT, WRONG
from palaestra.evolution.acquisition.weak_labels import WeakLabels
from palaestra.evolution.evaluation.held_out import HeldOut
from palaestra.evolution.recipe import Recipe
from palaestra.evolution.updating.confidence import ConfidentFinetune

__all__ = ["weak_to_strong"]

# A twentieth of the usual policy's parameters, shown half of the sums, right and careless in about equal parts.
_WEAK = (
    "nursery:arithmetic?size=5000&plan.hidden_size=32&plan.intermediate_size=64&plan.heads=2&plan.careless=0.45"
    "&plan.practise_steps=40&plan.settle_steps=40&plan.able=0.5"
)


def weak_to_strong() -> Recipe:
    """Burns et al. 2023, "Weak-to-strong generalization: eliciting strong capabilities with weak supervision".

    As published: a weak model labels tasks whose answers it has not seen; a strong one is fine-tuned on these labels,
    with the auxiliary confidence loss: cross-entropy against (1 - c) of the weak label and c of the own hardened
    prediction, its threshold matching the class balance of the weak labels, c rising to 0.5 over the first 10 % of
    training. `--set update.confidence=0` learns from weak labels alone; `--set acquire.labels=right` from right ones,
    the ceiling; `statistics.gap_recovered` gives the share of the gap that was recovered.

    Not as published: classes are words that a language policy says (`update.answers`), without a head of their own, and
    labels are the weak policy's words, not its probabilities. Where a task asks for anything else, a whole reply is the
    class, and the hardened prediction is the policy's own greedy reply.
    """
    return Recipe(
        name="weak-to-strong",
        acquire=WeakLabels(weak=_WEAK, skip=5_000),
        refine=(),
        update=ConfidentFinetune(answers=(RIGHT, WRONG), epochs=2),
        evaluate=HeldOut(),
        steps=1,
        evaluate_every=1,
        checkpoint_every=1,
    )
