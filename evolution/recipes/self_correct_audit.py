"""An audit of self-correction: does it help without anybody who knows what is right, and is debate worth its cost?"""

from palaestra.agents.drafting import Drafts
from palaestra.agents.panel import Panels
from palaestra.agents.policy import Sampling
from palaestra.evolution.acquisition.answered import Answered
from palaestra.evolution.acquisition.groups import SampleGroups
from palaestra.evolution.evaluation.correcting import Arm, Correcting
from palaestra.evolution.recipe import Recipe
from palaestra.evolution.refinement.aside import SetAside
from palaestra.evolution.updating.unchanged import Unchanged

__all__ = ["self_correct_audit"]


def self_correct_audit() -> Recipe:
    """Huang et al. 2023, "Large language models cannot self-correct reasoning yet".

    As published: answer, review the answer, answer again, two rounds of it; without anybody who knows what is right,
    and with an oracle that stops as soon as the answer is. Three agents that debate for two rounds, against a vote of
    as many replies (nine). Accuracy by round and what became of first answers. Nothing is trained.

    Not as published: a further arm in which the oracle also says that an answer is wrong, in place of a review.
    """
    sampling = Sampling(max_tokens=64)
    intrinsic, debate = Drafts(stop=""), Panels(members=3, rounds=2)
    return Recipe(
        name="self-correct-audit",
        acquire=Answered(SampleGroups(groups=64, attempts=1, sampling=sampling), intrinsic),
        refine=(SetAside(),),
        update=Unchanged(),
        evaluate=Correcting(
            arms=(
                Arm("intrinsic", intrinsic),
                Arm("oracle stops", Drafts(judged_by="oracle", tell=False, stop="")),
                Arm("oracle tells", Drafts(judged_by="oracle", ask="")),
                Arm("debate", debate),
                Arm("vote", Panels(members=debate.replies, rounds=0), matched="debate"),
            ),
            sampling=sampling,
        ),
        steps=1,
        evaluate_every=1,
        checkpoint_every=1,
    )
