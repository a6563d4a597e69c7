"""The family of group-relative policy gradients: sample groups, keep those that teach, climb.

All of them refill groups whose attempts earned the same, which DAPO introduced and which costs the others nothing of
what defines them; `--set acquire.rounds=1` gives each as first published.
"""

from palaestra.evolution.acquisition.groups import SampleGroups
from palaestra.evolution.evaluation.held_out import HeldOut
from palaestra.evolution.recipe import Recipe
from palaestra.evolution.refinement.groups import KeepInformativeGroups
from palaestra.evolution.updating.policy_gradient import variant

__all__ = ["dapo", "dr_grpo", "grpo", "gspo", "reinforce_plus_plus", "rloo"]


def _policy_gradient(name: str, rule: str) -> Recipe:
    return Recipe(
        name=name,
        acquire=SampleGroups(groups=32, attempts=8, rounds=3),
        refine=(KeepInformativeGroups(),),
        update=variant(rule),
        evaluate=HeldOut(),
        steps=200,
    )


def grpo() -> Recipe:
    """Advantages centred and scaled in each group (Shao et al. 2024, "DeepSeekMath")."""
    return _policy_gradient("grpo", "grpo")


def dr_grpo() -> Recipe:
    """Advantages centred only, tokens summed (Liu et al. 2025, "Understanding R1-Zero-like training")."""
    return _policy_gradient("dr-grpo", "dr_grpo")


def dapo() -> Recipe:
    """Asymmetric clipping and a mean over all tokens (Yu et al. 2025, "DAPO")."""
    return _policy_gradient("dapo", "dapo")


def gspo() -> Recipe:
    """Ratios of whole sequences (Zheng et al. 2025, "Group sequence policy optimization")."""
    return _policy_gradient("gspo", "gspo")


def rloo() -> Recipe:
    """Each attempt against the mean of the others (Ahmadian et al. 2024, "Back to basics")."""
    return _policy_gradient("rloo", "rloo")


def reinforce_plus_plus() -> Recipe:
    """Advantages normalised over the batch (Hu et al. 2025, "REINFORCE++")."""
    return _policy_gradient("reinforce++", "reinforce++")
