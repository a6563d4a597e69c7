"""GEM's environments as ours."""

from collections.abc import Callable
from typing import Any, Final

from palaestra.envs.adapters.chance import Chance
from palaestra.envs.adapters.foreign import Answer, ForeignWorld, seeds
from palaestra.envs.adapters.prefixes import needing
from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.envs.task import Task

__all__ = ["GemWorld", "gem_world"]

_EXTRA: Final = "gem"
_SEEDS: Final = 2**32
# These do nothing but think; all others may run programs, ask servers or wait for a process.
_INSTANT: Final = ("game:", "rg:")


class GemWorld(ForeignWorld):
    """An environment of GEM.

    A task is a seed. Rewards pass through turn by turn; the verdict at the end carries their sum, CORRECT from 1.

    Args:
        name: The environment.
        build: Builds it.
        size: How many seeds are tasks.
        render_mode: None or `"ansi"`.
    """

    def __init__(self, name: str, build: Callable[[], Any], size: int, render_mode: str | None = None) -> None:
        super().__init__(seeds(f"gem:{name}", size), render_mode=render_mode)
        self.metadata = {**self.metadata, "instant": name.startswith(_INSTANT)}
        self._build = build
        self._world = build()
        self._chance = Chance()

    def start(self, task: Task) -> str:  # noqa: D102
        if not isinstance(task.reference, int):
            raise UsageError(f"The reference of task {task.id!r} must be a seed, got {task.reference!r}.")
        self._chance.seed(task.reference)
        with self._chance:
            told, info = self._world.reset(seed=task.reference % _SEEDS)
        return _told(told, info)

    def act(self, action: str) -> Answer:  # noqa: D102
        from gem.utils.constants import TERMINAL_STATE

        with self._chance:
            told, reward, terminated, truncated, info = self._world.step(action)
        over = bool(terminated or truncated)
        if told == TERMINAL_STATE:
            told = "It is over."
        # GEM calls what one reply ends both: that is an end, not a cut.
        cut = bool(truncated) and not terminated
        return Answer(str(told) if over else _told(told, info), float(reward), bool(terminated), cut)

    def sample_action(self, generator: Any) -> str:
        """Draw what GEM draws, where it knows how."""
        chance = Chance(int(generator.integers(_SEEDS)))
        try:
            with chance:
                return str(self._world.sample_random_action())
        except NotImplementedError:
            return ""

    def clone(self) -> "GemWorld":
        """Return an independent instance with a world of its own."""
        twin = super().clone()
        assert isinstance(twin, GemWorld)
        twin._world, twin._chance, twin._over = self._build(), Chance(), True
        return twin


def _told(observation: Any, info: Any) -> str:
    """Return an observation with what GEM's own wrappers put behind it."""
    suffix = info.get("suffix", "") if isinstance(info, dict) else ""
    return "\n".join(filter(None, (str(observation).rstrip(), str(suffix))))


def gem_world(name: str, *, size: int = 1_000, render_mode: str | None = None, **settings: Any) -> GemWorld:
    """Return an environment of GEM.

    Args:
        name: Such as `"game:GuessTheNumber-v0-easy"` or `"math:GSM8K"`.
        size: How many seeds are tasks.
        render_mode: None or `"ansi"`.
        **settings: The environment's own.

    Raises:
        UnknownNameError: If there is no such environment.
        UsageError: If the package is not installed or the environment refuses the settings.
    """
    with needing(_EXTRA, "pip install --no-deps gem-llm==0.1.0"):
        import gem
        from gem.envs.registration import ENV_REGISTRY
    if name not in ENV_REGISTRY:
        raise UnknownNameError("environment of GEM", name, ENV_REGISTRY)

    def build() -> Any:
        try:
            with Chance():
                return gem.make(name, **settings)
        except Exception as error:  # whatever it raises for settings it dislikes, or for files it would download
            given = f" with {settings}" if settings else ""
            raise UsageError(f"GEM cannot build {name}{given}: {type(error).__name__}: {error}") from error

    return GemWorld(name, build, size, render_mode)
