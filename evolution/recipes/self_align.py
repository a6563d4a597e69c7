"""Self-align: reply under principles that are told, and learn to reply so untold."""

from dataclasses import dataclass, replace

from palaestra.agents.policy import Sampling
from palaestra.evolution.acquisition.groups import SampleGroups
from palaestra.evolution.acquisition.principled import TellPrinciples
from palaestra.evolution.evaluation.untold import Untold
from palaestra.evolution.recipe import Recipe
from palaestra.evolution.refinement.filters import KeepDistinct
from palaestra.evolution.refinement.hindsight import ForgetHint
from palaestra.evolution.refinement.likeness import KeepFormatted, KeepLength
from palaestra.evolution.refinement.own_words import KeepFinished, KeepUnquoted
from palaestra.evolution.updating.finetune import Finetune

__all__ = ["SelfAlign", "self_align"]


@dataclass(frozen=True)
class SelfAlign(Recipe):
    """A recipe that measures told what it has acquired told, unless its evaluation names other principles."""

    def __post_init__(self) -> None:
        super().__post_init__()
        acquire, evaluate = self.acquire, self.evaluate
        if isinstance(acquire, TellPrinciples) and isinstance(evaluate, Untold) and not evaluate.principles:
            object.__setattr__(self, "evaluate", replace(evaluate, principles=acquire.principles))


def self_align() -> Recipe:
    """Sun et al. 2023, "Principle-driven self-alignment of language models from scratch" (Dromedary).

    As published: a few written principles stand before each task while the policy replies (self-alignment); its own
    replies are filtered without labels, and the base is fine-tuned on them without the principles in the prompt
    (principle engraving).

    Not as published: tasks are the environment's, where the paper has the policy write them (`self-instruct` does);
    there are no worked examples and inner thoughts beside the principles; and in place of verbose cloning, replies
    that are too short, cut off or without the wanted form (`refine.0.pattern`) are left out.
    """
    sampling = Sampling(max_tokens=64, temperature=0.7)
    return SelfAlign(
        name="self-align",
        acquire=TellPrinciples(SampleGroups(groups=1_000, attempts=2, sampling=sampling)),
        refine=(
            KeepFormatted(r"\S"),
            KeepLength(fewest=2),
            KeepFinished(),
            KeepUnquoted(),
            KeepDistinct(),
            ForgetHint(),
        ),
        update=Finetune(start_from="base", epochs=3),
        evaluate=Untold(),
        steps=1,
        evaluate_every=1,
        checkpoint_every=1,
    )
