"""Tasks that evolve: the policy writes its own, the world checks them, and it learns from those that it solves."""

from palaestra.agents.policy import Sampling
from palaestra.evolution.acquisition.grow import GrowTasks
from palaestra.evolution.acquisition.orders import Evolutions, Series
from palaestra.evolution.evaluation.growing import Growing
from palaestra.evolution.recipe import Recipe
from palaestra.evolution.refinement.filters import KeepCorrect
from palaestra.evolution.refinement.novelty import Gaining, Novel, Worded
from palaestra.evolution.refinement.writing import KeepSolving
from palaestra.evolution.updating.finetune import Finetune

__all__ = ["evol_instruct", "self_instruct"]


def self_instruct() -> Recipe:
    """Wang et al. 2023, "Self-Instruct: aligning language models with self-generated instructions".

    As published: 175 seeds; tasks are written in context, after six seeds and two written ones; one is dropped whose
    highest ROUGE-L with the pool is 0.7 or more, or that simple signs speak against; the base is fine-tuned on the
    policy's own solutions.

    Not as published: the world works out and checks every answer, so that only right solutions are learned, and what
    has no answer is no task; no task is sorted into classification and others; rounds of writing and learning take
    turns, each fine-tuning the base anew.
    """
    return Recipe(
        name="self-instruct",
        acquire=GrowTasks(
            orders=Series(seeds=6, written=2), vets=(Worded(), Novel(0.7)), sampling=Sampling(max_tokens=64)
        ),
        refine=(KeepSolving(), KeepCorrect()),
        update=Finetune(start_from="base", epochs=1),
        evaluate=Growing(),
        steps=4,
        evaluate_every=1,
        checkpoint_every=1,
    )


def evol_instruct() -> Recipe:
    """Xu et al. 2023, "WizardLM: empowering large language models to follow complex instructions".

    As published: each task of the last generation is evolved by an operation drawn for it, in depth (constraints,
    deepening, concretising, reasoning, more input) or in breadth; evolutions are eliminated that gain nothing, that
    speak of the prompt, or that cannot be answered; parents of eliminated ones are evolved again; the base is
    fine-tuned on seeds and all generations together.

    Not as published: the policy evolves and answers itself, where the paper asks a stronger model
    (`acquire.writer=http:...` does); gain is counted in words; a task cannot be answered if no attempt at it is right,
    and difficulty is the share of attempts that are; learning takes place after every generation.
    """
    return Recipe(
        name="evol-instruct",
        acquire=GrowTasks(
            orders=Evolutions(), vets=(Worded(), Gaining()), unsolved=False, sampling=Sampling(max_tokens=64)
        ),
        refine=(KeepSolving(), KeepCorrect()),
        update=Finetune(start_from="base", epochs=1),
        evaluate=Growing(),
        steps=4,
        evaluate_every=1,
        checkpoint_every=1,
    )
