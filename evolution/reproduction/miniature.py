"""A miniature: a published claim as an inequality, stated beforehand, and the runs whose figures decide it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from urllib.parse import quote

from palaestra.envs.errors import UsageError
from palaestra.evolution.reproduction.readings import Reading

__all__ = ["FEWEST_SEEDS", "Arm", "Claim", "Miniature", "Profile"]

FEWEST_SEEDS = 3
"""Below three seeds an interval over them is wider than anything that is claimed."""

_NOTHING: Mapping[str, object] = MappingProxyType({})


class Profile(StrEnum):
    """How large the runs are."""

    FULL = "full"
    """As the claim is meant; each seed has a newborn policy of its own."""
    QUICK = "quick"
    """Smaller settings, and one newborn policy for all seeds: shows that it works, and hardly more."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One of the runs that are compared: what `palaestra evolve` is asked for, once for each seed.

    Attributes:
        name: By which readings call it.
        recipe: Name of the recipe.
        env: Spec of the environment.
        policy: Spec of the policy; nothing where the arm goes on from another.
        after: Name of an earlier arm, at whose end (of the same seed) this one begins.
        watch: Specs of environments that are measured too, and not learned in.
        settings: Options of the recipe by dotted path, the number of steps among them.
        quick: The same over `settings`, in the quick profile.
    """

    name: str
    recipe: str
    env: str
    policy: str = ""
    after: str = ""
    watch: tuple[str, ...] = ()
    settings: Mapping[str, object] = field(default_factory=lambda: _NOTHING)
    quick: Mapping[str, object] = field(default_factory=lambda: _NOTHING)

    def __post_init__(self) -> None:
        if bool(self.policy) == bool(self.after):
            raise UsageError(f"The arm {self.name!r} begins with a policy or after another arm, and with one of both.")

    def chosen(self, profile: Profile) -> dict[str, object]:
        """Return the settings of a profile."""
        return {**self.settings, **(self.quick if profile is Profile.QUICK else {})}

    def learner(self, profile: Profile, ended: Mapping[str, str]) -> str:
        """Return the spec of the policy that learns.

        Args:
            profile: In the quick one a policy of the nursery is the one of seed 0, whatever the run's.
            ended: Directories of the arms of the same seed that are over, by name.
        """
        if self.after:
            return f"run:{quote(ended[self.after])}"
        if profile is Profile.QUICK and self.policy.startswith("nursery:"):
            return f"{self.policy}{'&' if '?' in self.policy else '?'}seed=0"
        return self.policy


@dataclass(frozen=True, slots=True)
class Claim:
    """An inequality: the lower bound of a figure's 95 % interval over seeds lies above a number.

    Attributes:
        words: The claim, as it is stated beforehand.
        figure: What is read of the arms of one seed.
        above: The number.
    """

    words: str
    figure: Reading
    above: float = 0.0

    def __str__(self) -> str:
        return f"{self.figure} > {self.above:g}"


@dataclass(frozen=True, slots=True)
class Miniature:
    """Claims and the arms that test them.

    Attributes:
        name: By which it is asked for.
        recipes: Recipes it is about; it can be asked for by each.
        arms: In the order in which they run.
        claims: What is decided.
        seeds: How many; `0` to `seeds - 1`.
    """

    name: str
    recipes: tuple[str, ...]
    arms: tuple[Arm, ...]
    claims: tuple[Claim, ...]
    seeds: int = FEWEST_SEEDS

    def __post_init__(self) -> None:
        before: list[str] = []
        for arm in self.arms:
            if arm.name in before or (arm.after and arm.after not in before):
                raise UsageError(
                    f"{self.name}: arm {arm.name!r} comes twice, or before the {arm.after!r} it goes on from."
                )
            before.append(arm.name)
        unknown = sorted({name for claim in self.claims for name in claim.figure.arms} - set(before))
        if unknown or not self.claims:
            raise UsageError(f"{self.name}: claims must read arms that there are ({', '.join(before)}), not {unknown}.")
