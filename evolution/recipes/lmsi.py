"""Self-improvement without labels: what most attempts agree on is taken for right."""

from palaestra.agents.policy import Sampling
from palaestra.evolution.acquisition.groups import SampleGroups
from palaestra.evolution.evaluation.held_out import HeldOut
from palaestra.evolution.recipe import Recipe
from palaestra.evolution.refinement.agreement import KeepMajority
from palaestra.evolution.updating.finetune import Finetune

__all__ = ["lmsi"]


def lmsi() -> Recipe:
    """Huang et al. 2023, "Large language models can self-improve".

    As published: 32 attempts a task at temperature 0.7; those that give the majority's answer are imitated, whatever
    the judge says of them; the base is fine-tuned. `--set refine.0.margin=0.5` asks for a clearer majority.

    Not as published: one form of prompt and answer, where the paper mixes four; and replies may be answers alone.
    """
    return Recipe(
        name="lmsi",
        acquire=SampleGroups(groups=300, attempts=32, sampling=Sampling(max_tokens=64, temperature=0.7)),
        refine=(KeepMajority(),),
        update=Finetune(start_from="base"),
        evaluate=HeldOut(attempts=8, also=("majority",)),
        steps=1,
        evaluate_every=1,
        checkpoint_every=1,
    )
