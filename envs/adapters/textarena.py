"""TextArena's games for one player as environments, and what both kinds of its games share."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from palaestra.envs.adapters.chance import Chance
from palaestra.envs.adapters.foreign import Answer, ForeignWorld, seeds
from palaestra.envs.adapters.prefixes import needing
from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.envs.task import Task
from palaestra.envs.verdict import Status, Verdict

__all__ = ["TextArenaWorld", "asks_elsewhere", "builder", "has_opponents", "news", "textarena_world"]

_EXTRA: Final = "textarena"
# Seeds go to Python's own generator, which takes any; some games hand them on to NumPy's, which takes these.
SEEDS: Final = 2**32


def _registry() -> dict[str, Any]:
    with needing(_EXTRA):
        import textarena  # noqa: F401  (it registers the games)
        from textarena.envs.registration import ENV_REGISTRY
    known: dict[str, Any] = ENV_REGISTRY
    return known


def _spec(name: str) -> Any:
    known = _registry()
    if name not in known:
        raise UnknownNameError("game of TextArena", name, known, "Names end in their version: TicTacToe-v0.")
    return known[name]


def has_opponents(name: str) -> bool:
    """Whether several play a game, so that it is an arena.

    Raises:
        UnknownNameError: If there is no such game.
    """
    # The package keeps nowhere how many play, but each game for one names the state for one, and no other.
    return "SinglePlayerState(" not in _source(name)


def asks_elsewhere(name: str) -> bool:
    """Whether a game asks a model on a server, so that its steps may wait."""
    return "OpenRouter" in _source(name)


def _source(name: str) -> str:
    """Return the source of a game, which is not imported: some are written for a later Python."""
    entry_point = _spec(name).entry_point
    module = entry_point.partition(":")[0] if isinstance(entry_point, str) else entry_point.__module__
    package, *path = module.split(".")
    found = find_spec(package)
    file = Path(found.origin).parent.joinpath(*path).with_suffix(".py") if found and found.origin else Path()
    if not file.is_file():
        raise UsageError(f"TextArena names {name} and does not bring it: there is no module {module}.")
    return file.read_text()


def builder(name: str, settings: dict[str, Any]) -> Callable[[], Any]:
    """Return what builds a game of TextArena.

    Raises:
        UnknownNameError: If there is no such game.
    """
    _spec(name)

    def build() -> Any:
        import textarena

        try:
            with Chance():
                return textarena.make(name, **settings)
        except ImportError as error:
            raise UsageError(f"{name} needs a package that is not here: {error}") from error
        except Exception as error:  # whatever a game raises for settings it dislikes, or for files it would download
            given = f" with {settings}" if settings else ""
            raise UsageError(f"TextArena cannot build {name}{given}: {type(error).__name__}: {error}") from error

    return build


def news(game: Any) -> tuple[int, str]:
    """Return whose turn it is and what is told.

    TextArena's usual wrapper tells the whole story at every turn. Here the agent remembers, so it is told what is new;
    any other wrapper is taken at its word.
    """
    from textarena.core import ObservationWrapper
    from textarena.wrappers import LLMObservationWrapper

    wrapper = game
    # Not by its attributes: each wrapper hands on those of what it wraps.
    while "env" in vars(wrapper) and not isinstance(wrapper, ObservationWrapper):
        wrapper = wrapper.env
    usual = type(wrapper) is LLMObservationWrapper
    seat, told = (wrapper.env if usual else game).get_observation()
    return int(seat), told if isinstance(told, str) else _lines(game, int(seat), told)


def _lines(game: Any, seat: int, messages: Any) -> str:
    """Return messages as TextArena's usual wrapper writes them, without what the seat itself said."""
    from textarena.core import GAME_ID, ObservationType

    names = getattr(game.state, "role_mapping", {})
    said = []
    for who, what, kind in messages or ():
        if not (who == seat and kind is ObservationType.PLAYER_ACTION):
            said.append(f"[{'GAME' if who == GAME_ID else names.get(who, f'Player {who}')}] {what}")
    return "\n".join(said)


class TextArenaWorld(ForeignWorld):
    """A game of TextArena for one player.

    A task is a seed. The reward comes at the end and is TextArena's: 1 for a game that is won, a share for one that is
    partly done, 0 or -1 for one that is lost; ILLEGAL where it was lost by what is no move.

    Args:
        name: The game.
        build: Builds it.
        size: How many seeds are tasks.
        render_mode: None or `"ansi"`.
    """

    def __init__(self, name: str, build: Callable[[], Any], size: int, render_mode: str | None = None) -> None:
        super().__init__(seeds(f"textarena:{name}", size), render_mode=render_mode)
        self.metadata = {**self.metadata, "instant": not asks_elsewhere(name)}
        self._build = build
        self._game = build()
        self._chance = Chance()

    def start(self, task: Task) -> str:  # noqa: D102
        if not isinstance(task.reference, int):
            raise UsageError(f"The reference of task {task.id!r} must be a seed, got {task.reference!r}.")
        self._chance.seed(task.reference)
        # A wrapper keeps what it was told of the last game.
        self._game = self._build()
        with self._chance:
            self._game.reset(num_players=1, seed=task.reference % SEEDS)
            return news(self._game)[1]

    def act(self, action: str) -> Answer:  # noqa: D102
        with self._chance:
            done, _ = self._game.step(action=action)
            told = news(self._game)[1]
            if not done:
                return Answer(told)
            rewards, info = self._game.close()
        paid, about = float(rewards[0]), info[0]
        reason = str(about.get("reason") or "")
        if about.get("invalid_move"):
            verdict = Verdict(paid, Status.ILLEGAL, reason[:300])
        else:
            status = Status.CORRECT if paid >= 1.0 else Status.PARTIAL if paid > 0.0 else Status.WRONG
            verdict = Verdict(paid, status, reason[:300])
        return Answer("\n".join(filter(None, (told, reason))), paid, True, False, verdict)

    def clone(self) -> "TextArenaWorld":
        """Return an independent instance with a game of its own."""
        twin = super().clone()
        assert isinstance(twin, TextArenaWorld)
        twin._game, twin._chance, twin._over = self._build(), Chance(), True
        return twin


def textarena_world(name: str, *, size: int = 1_000, render_mode: str | None = None, **settings: Any) -> TextArenaWorld:
    """Return a game of TextArena for one player as an environment.

    Args:
        name: With its version: `"Wordle-v0"`.
        size: How many seeds are tasks.
        render_mode: None or `"ansi"`.
        **settings: The game's own.

    Raises:
        UnknownNameError: If there is no such game.
        UsageError: If the package is not installed, the game refuses the settings, or it is not for one player.
    """
    if has_opponents(name):
        raise UsageError(f"{name} is played by several: it is an arena.")
    return TextArenaWorld(name, builder(name, settings), size, render_mode)
