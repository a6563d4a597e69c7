"""AutoCrawler: write a crawler top-down, step back up the page where it fails, and keep what holds on several pages."""

from palaestra.agents.policy import Sampling
from palaestra.evolution.acquisition.groups import SampleGroups
from palaestra.evolution.evaluation.held_out import HeldOut
from palaestra.evolution.recipe import Recipe
from palaestra.evolution.refinement.filters import CapPerTask, KeepCorrect, KeepDistinct
from palaestra.evolution.updating.finetune import Finetune

__all__ = ["autocrawler"]

# A program is short; a reason before it is not.
_SAMPLING = Sampling(max_tokens=256)


def autocrawler() -> Recipe:
    """Huang et al. 2024, "AutoCrawler: a progressive understanding web agent for web crawler generation".

    As published: for each of several seed pages a program of XPaths is written top-down; where it does not give what
    the agent sees on the page, the agent steps back up to a node that holds it, and goes on in that part alone; of the
    programs of all seed pages the one that does best on all of them is kept, and judged by executing it on unseen
    pages. All of that is the environment, `palaestra/Crawl-v0`: whoever plays it plays the method.

    Not as published: what the published agent does in context is here also learned from. Episodes whose crawler was
    right are imitated, so that what took several tries may take fewer.
    """
    return Recipe(
        name="autocrawler",
        acquire=SampleGroups(groups=250, attempts=4, sampling=_SAMPLING),
        refine=(KeepCorrect(), KeepDistinct(), CapPerTask(4)),
        update=Finetune(start_from="last"),
        evaluate=HeldOut(tasks=200, sampling=_SAMPLING, also=("execution",)),
        steps=4,
        evaluate_every=1,
        checkpoint_every=1,
    )
