"""The family of group-relative policy gradients: sample groups, keep those that teach, climb.

All of them refill groups whose attempts earned the same, which DAPO introduced and which costs the others nothing of
what defines them; `--set acquire.rounds=1` gives each as first published.
"""

from palaestra.evolution.acquisition.curriculum import Curriculum
from palaestra.evolution.acquisition.groups import SampleGroups
from palaestra.evolution.acquisition.replay import Replay
from palaestra.evolution.evaluation.held_out import HeldOut
from palaestra.evolution.recipe import Acquire, Recipe, configure
from palaestra.evolution.refinement.groups import KeepInformativeGroups
from palaestra.evolution.updating.policy_gradient import variant

__all__ = ["curriculum", "dapo", "dr_grpo", "grpo", "gspo", "reinforce_plus_plus", "replay", "rloo"]

_GROUPS = SampleGroups(groups=32, attempts=8, rounds=3)


def _policy_gradient(name: str, rule: str, acquire: Acquire = _GROUPS) -> Recipe:
    return Recipe(
        name=name,
        acquire=acquire,
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


def curriculum() -> Recipe:
    """GRPO on tasks of middle difficulty, as the last steps have found it (see `Curriculum`).

    Source: Florensa et al. 2018, "Automatic goal generation for reinforcement learning agents" (tasks of intermediate
    difficulty), with the shares of Huang et al. 2025, "R-Zero".
    """
    return _policy_gradient("curriculum", "grpo", Curriculum(_GROUPS, lowest=0.3, highest=0.7))


def replay() -> Recipe:
    """GRPO on what is new and on groups of the last steps, weighed by how the policy has changed (see `Replay`)."""
    recipe = _policy_gradient("replay", "grpo", Replay(_GROUPS))
    return configure(recipe, {"update.correction": "truncate"})
