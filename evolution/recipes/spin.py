"""Self-play fine-tuning: tell the demonstrations from what the policy itself said one iteration ago."""

from palaestra.evolution.acquisition.demonstrate import Demonstrate, SampleBesideDemonstrations
from palaestra.evolution.acquisition.groups import SampleGroups
from palaestra.evolution.acquisition.in_turn import AcquireInTurn
from palaestra.evolution.evaluation.held_out import HeldOut
from palaestra.evolution.recipe import Recipe
from palaestra.evolution.updating.finetune import Finetune
from palaestra.evolution.updating.in_turn import UpdateInTurn
from palaestra.evolution.updating.pairs import ReferenceOwn
from palaestra.evolution.updating.preference import Preference

__all__ = ["spin"]

_TASKS = 500


def spin() -> Recipe:
    """Chen et al. 2024, "Self-play fine-tuning converts weak language models to strong language models".

    As published: fine-tuning on demonstrations first, then iterations in which the policy replies to the same prompts
    and learns to prefer the demonstration to its own reply, against the policy of the iteration before. No label is
    added after the first step, and no reward is read.

    Not as published: the paper keeps the pairs of the last two iterations, here each iteration has its own alone; and
    the learning rate is constant.
    """
    sample = SampleGroups(groups=_TASKS, attempts=1)
    stages = (1, 4)
    return Recipe(
        name="spin",
        acquire=AcquireInTurn(
            stages, (Demonstrate(tasks=_TASKS, pool=_TASKS), SampleBesideDemonstrations(sample, pool=_TASKS))
        ),
        refine=(),
        update=UpdateInTurn(
            stages,
            (Finetune(start_from="last", epochs=3), Preference(pairs=ReferenceOwn(), reference="previous", epochs=2)),
        ),
        evaluate=HeldOut(),
        steps=sum(stages),
        evaluate_every=1,
        checkpoint_every=1,
    )
