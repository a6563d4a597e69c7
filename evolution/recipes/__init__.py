"""Published systems, one a file, each a function that returns a `Recipe`.

The cards stand here so that listing them loads neither torch nor the parts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from palaestra.envs.errors import UnknownNameError
from palaestra.evolution.recipes.own import is_own, own_recipe, read_own

if TYPE_CHECKING:
    from palaestra.evolution.recipe import Recipe

__all__ = ["RecipeCard", "find_recipe", "recipes"]


@dataclass(frozen=True, slots=True)
class RecipeCard:
    """What a recipe is, in short.

    Attributes:
        name: Name on the command line.
        summary: One line.
        source: The publication.
        entry_point: `module:function` that builds it.
    """

    name: str
    summary: str
    source: str
    entry_point: str


_POLICY_GRADIENT = "palaestra.evolution.recipes.grpo"
_CARDS = (
    RecipeCard(
        "grpo",
        "Policy gradient on groups of attempts; groups that teach nothing are refilled (the default).",
        "Shao et al. 2024 (DeepSeekMath) with dynamic sampling of Yu et al. 2025 (DAPO)",
        f"{_POLICY_GRADIENT}:grpo",
    ),
    RecipeCard(
        "dr-grpo",
        "GRPO without division by the deviation and by the length.",
        'Liu et al. 2025, "Understanding R1-Zero-like training"',
        f"{_POLICY_GRADIENT}:dr_grpo",
    ),
    RecipeCard(
        "dapo",
        "Asymmetric clipping, token-level loss, dynamic sampling.",
        'Yu et al. 2025, "DAPO"',
        f"{_POLICY_GRADIENT}:dapo",
    ),
    RecipeCard(
        "gspo",
        "Importance ratio and clipping by sequence.",
        'Zheng et al. 2025, "Group sequence policy optimization"',
        f"{_POLICY_GRADIENT}:gspo",
    ),
    RecipeCard(
        "rloo",
        "Each attempt against the mean of the others.",
        'Ahmadian et al. 2024, "Back to basics"',
        f"{_POLICY_GRADIENT}:rloo",
    ),
    RecipeCard(
        "reinforce++",
        "Advantages normalised over the batch.",
        'Hu et al. 2025, "REINFORCE++"',
        f"{_POLICY_GRADIENT}:reinforce_plus_plus",
    ),
    RecipeCard(
        "rft",
        "Sample, keep what is correct and distinct, fine-tune.",
        'Yuan et al. 2023, "Scaling relationship on learning mathematical reasoning"',
        "palaestra.evolution.recipes.rft:rft",
    ),
    RecipeCard(
        "spiral",
        "Self-play in an arena: one policy in every seat, each role compared with its own past.",
        'Liu et al. 2025, "SPIRAL"',
        "palaestra.evolution.recipes.spiral:spiral",
    ),
    RecipeCard(
        "alphazero",
        "On small boards that hide nothing: imitate what a search led by the policy itself finds.",
        'Silver et al. 2018, "A general reinforcement learning algorithm that masters chess, shogi, and Go"',
        "palaestra.evolution.recipes.alphazero:alphazero",
    ),
    RecipeCard(
        "sft",
        "Imitate the environment's own demonstrations.",
        'Ouyang et al. 2022, "InstructGPT", the first step',
        "palaestra.evolution.recipes.sft:sft",
    ),
    RecipeCard(
        "in2",
        "Imitate answers that lie anywhere in long documents; the curve over positions before and after.",
        'An et al. 2024, "Make your LLM fully utilize the context"',
        "palaestra.evolution.recipes.in2:in2",
    ),
    RecipeCard(
        "dpo",
        "Pairs of attempts: the better one more probable, against the policy at the start.",
        'Rafailov et al. 2023, "Direct preference optimization"',
        "palaestra.evolution.recipes.preference:dpo",
    ),
    RecipeCard(
        "kto",
        "Good attempts more probable and bad ones less, without pairs.",
        'Ethayarajh et al. 2024, "KTO"',
        "palaestra.evolution.recipes.preference:kto",
    ),
    RecipeCard(
        "spin",
        "Demonstrations against the policy's own replies of one iteration ago.",
        'Chen et al. 2024, "Self-play fine-tuning"',
        "palaestra.evolution.recipes.spin:spin",
    ),
    RecipeCard(
        "self-rewarding",
        "The policy judges its own replies; its judgements are the pairs.",
        'Yuan et al. 2024, "Self-rewarding language models"',
        "palaestra.evolution.recipes.self_rewarding:self_rewarding",
    ),
    RecipeCard(
        "rlhf",
        "Fine-tuning, a reward model from preferences, PPO against it.",
        'Ouyang et al. 2022, "InstructGPT"',
        "palaestra.evolution.recipes.rlhf:rlhf",
    ),
    RecipeCard(
        "ppo",
        "Clipped ratios with a critic, on the environment's own reward.",
        'Schulman et al. 2017, "Proximal policy optimization algorithms"',
        "palaestra.evolution.recipes.rlhf:ppo",
    ),
    RecipeCard(
        "eto",
        "Clone an expert, then contrast whole failed trajectories with successful ones.",
        'Song et al. 2024, "Trial and error"',
        "palaestra.evolution.recipes.eto:eto",
    ),
    RecipeCard(
        "star",
        "Imitate rationales that reach the answer, and those that explain an answer that was told.",
        'Zelikman et al. 2022, "STaR"',
        "palaestra.evolution.recipes.star:star",
    ),
    RecipeCard(
        "rest",
        "Sample once, imitate in several steps what reaches a threshold that rises.",
        'Gulcehre et al. 2023, "Reinforced self-training"',
        "palaestra.evolution.recipes.rest:rest",
    ),
    RecipeCard(
        "rest-em",
        "Rounds of sampling and imitating what is right, each from the base.",
        'Singh et al. 2023, "Beyond human data"',
        "palaestra.evolution.recipes.rest:rest_em",
    ),
    RecipeCard(
        "math-ft",
        "Learn solutions, then to judge them, then solutions; vote, weighed by one's own judgement.",
        'Liu et al. 2023, "Improving large language model fine-tuning for solving math problems"',
        "palaestra.evolution.recipes.math_ft:math_ft",
    ),
    RecipeCard(
        "lmsi",
        "Without labels: imitate what most attempts agree on.",
        'Huang et al. 2023, "Large language models can self-improve"',
        "palaestra.evolution.recipes.lmsi:lmsi",
    ),
    RecipeCard(
        "weak-to-strong",
        "Learn from a weaker policy's labels, with some confidence in what one would have said oneself.",
        'Burns et al. 2023, "Weak-to-strong generalization"',
        "palaestra.evolution.recipes.weak_to_strong:weak_to_strong",
    ),
    RecipeCard(
        "next",
        "Mend programs shown with their execution trace; imitate the rationales whose fix passes, from the base.",
        'Ni et al. 2024, "NExT"',
        "palaestra.evolution.recipes.next:next_",
    ),
    RecipeCard(
        "autocrawler",
        "Write crawlers for sites, stepping back up the page where they fail; imitate those that work on unseen pages.",
        'Huang et al. 2024, "AutoCrawler"',
        "palaestra.evolution.recipes.autocrawler:autocrawler",
    ),
    RecipeCard(
        "absolute-zero",
        "One policy sets itself tasks and solves them; paid where they can be solved, and seldom are.",
        'Zhao et al. 2025, "Absolute Zero"',
        "palaestra.evolution.recipes.zero:absolute_zero",
    ),
    RecipeCard(
        "r-zero",
        "One policy sets itself tasks at the edge of what it solves; what most answers say is the label.",
        'Huang et al. 2025, "R-Zero"',
        "palaestra.evolution.recipes.zero:r_zero",
    ),
    RecipeCard(
        "amie",
        "Simulated consultations: a critic has each tried again; imitate those that were mended.",
        'Tu et al. 2024, "Towards conversational diagnostic AI"',
        "palaestra.evolution.recipes.amie:amie",
    ),
    RecipeCard(
        "codet",
        "Without labels: imitate the programs that agree with most others and most tests, written alike.",
        'Chen et al. 2022, "CodeT"',
        "palaestra.evolution.recipes.codet:codet",
    ),
    RecipeCard(
        "self-align",
        "Reply under principles that are told, filter without labels, imitate one's replies untold.",
        'Sun et al. 2023, "Principle-driven self-alignment" (Dromedary)',
        "palaestra.evolution.recipes.self_align:self_align",
    ),
    RecipeCard(
        "self-instruct",
        "Write tasks in context from seeds, keep what is novel and can be checked, imitate one's right solutions.",
        'Wang et al. 2023, "Self-Instruct"',
        "palaestra.evolution.recipes.evolving:self_instruct",
    ),
    RecipeCard(
        "evol-instruct",
        "Evolve tasks in depth and breadth, eliminate what failed, imitate one's right solutions.",
        'Xu et al. 2023, "WizardLM"',
        "palaestra.evolution.recipes.evolving:evol_instruct",
    ),
    RecipeCard(
        "reflexion",
        "In context: lessons from failed trials, told and not trained; for models on servers too.",
        'Shinn et al. 2023, "Reflexion"',
        "palaestra.evolution.recipes.reflexion:reflexion",
    ),
    RecipeCard(
        "expel",
        "In context: insights from failed and successful tries, voted on, and successes recalled.",
        'Zhao et al. 2024, "ExpeL: LLM agents are experiential learners"',
        "palaestra.evolution.recipes.expel:expel",
    ),
    RecipeCard(
        "voyager",
        "In context: a library of programs that work, under a curriculum.",
        'Wang et al. 2023, "Voyager"',
        "palaestra.evolution.recipes.voyager:voyager",
    ),
    RecipeCard(
        "gepa",
        "In context: instructions evolved by reflection, on a front of candidates that are each best at some tasks.",
        'Agrawal et al. 2025, "GEPA: reflective prompt evolution can outperform reinforcement learning"',
        "palaestra.evolution.recipes.gepa:gepa",
    ),
    RecipeCard(
        "self-refine",
        "Nothing is trained: answer, say what is wrong with it, answer again, until nothing is.",
        'Madaan et al. 2023, "Self-Refine"',
        "palaestra.evolution.recipes.self_refine:self_refine",
    ),
    RecipeCard(
        "self-debug",
        "Nothing is trained: a program is run on the tests that are shown, and mended by what failed.",
        'Chen et al. 2023, "Teaching large language models to self-debug"',
        "palaestra.evolution.recipes.self_debug:self_debug",
    ),
    RecipeCard(
        "self-consistency",
        "Nothing is trained: the answer that most of several replies reach, against one greedy reply.",
        'Wang et al. 2023, "Self-consistency improves chain of thought reasoning in language models"',
        "palaestra.evolution.recipes.self_consistency:self_consistency",
    ),
    RecipeCard(
        "self-correct-audit",
        "Nothing is trained: accuracy by round with and without an oracle; debate against a vote of equal cost.",
        'Huang et al. 2023, "Large language models cannot self-correct reasoning yet"',
        "palaestra.evolution.recipes.self_correct_audit:self_correct_audit",
    ),
    RecipeCard(
        "curriculum",
        "GRPO on tasks that are solved sometimes, as the last steps have found.",
        'Florensa et al. 2018, "Automatic goal generation for reinforcement learning agents"',
        f"{_POLICY_GRADIENT}:curriculum",
    ),
    RecipeCard(
        "replay",
        "GRPO that also learns again from the last steps, with importance weights.",
        'Espeholt et al. 2018, "IMPALA" (truncated importance weights)',
        f"{_POLICY_GRADIENT}:replay",
    ),
)


def recipes() -> tuple[RecipeCard, ...]:
    """Return every recipe's card."""
    return _CARDS


def find_recipe(name: str, settings: Mapping[str, object] | None = None) -> "Recipe":
    """Build the recipe of that name, or of the file at that path (`.py`), with options set by dotted path.

    Raises:
        UnknownNameError: If no recipe has the name or no option the path.
        UsageError: If an option has a value of the wrong type, or a file holds no recipe.
    """
    if is_own(name):
        return own_recipe(read_own(name), name, settings)
    by_name = {card.name: card for card in _CARDS}
    if name not in by_name:
        raise UnknownNameError(
            "recipe", name, by_name, "`palaestra recipes` lists them; a file of your own ends with .py."
        )
    from palaestra.evolution.recipe import configure

    module, _, function = by_name[name].entry_point.partition(":")
    recipe: Recipe = getattr(import_module(module), function)()
    return configure(recipe, settings or {})
