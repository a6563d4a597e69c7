"""How worlds that speak numbers are put into words: rules, action names, observations, and when they are won."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

import gymnasium
import numpy as np
from gymnasium import spaces
from palaestra.envs.errors import UsageError

__all__ = ["Describe", "Speech", "Success", "describe_value", "speech_of"]

Describe: TypeAlias = Callable[[gymnasium.Env[Any, Any], Any], str]
"""`describe(env, observation) -> str`; `env` is the unwrapped world."""

Success: TypeAlias = Callable[[float, bool], bool]
"""`success(episode_return, terminated) -> bool`; `terminated` is False when the time limit cut the episode short."""

# An array of more numbers than this is a picture, not something to read out.
_SPOKEN_NUMBERS = 256


@dataclass(frozen=True)
class Speech:
    """What is needed to speak of one world.

    Attributes:
        rules: What the player is told first.
        actions: Names of the actions in order; `a|b` are synonyms, of which the first is shown.
        describe: Puts an observation into words.
        success: Whether an episode was won; None leaves it to the reward threshold.
        penalty: What a lost turn pays when an illegal action ends the episode: no better than playing badly.
        known: Whether this world is one of those written down here, whose steps never wait.
    """

    rules: str
    actions: tuple[str, ...]
    describe: Describe
    success: Success | None = None
    penalty: float = 0.0
    known: bool = True


def speech_of(env: gymnasium.Env[Any, Any]) -> Speech:
    """Return what is known of a world with discrete actions, or a plain numbered account of its spaces.

    Raises:
        UsageError: If its actions are not discrete.
    """
    bare = env.unwrapped
    actions = env.action_space
    if not isinstance(actions, spaces.Discrete):
        raise UsageError(
            f"{bare} acts in {actions}; only worlds with Discrete actions can be spoken. Wrap it in one that offers "
            "a list of actions (gymnasium.wrappers.TransformAction)."
        )
    known = _KNOWN.get(f"{type(bare).__module__}:{type(bare).__name__}")
    if known is not None and len(known.actions) == actions.n:
        return known
    name = bare.spec.name if bare.spec else type(bare).__name__
    # Without names an action goes by its number, which the parser understands anyway.
    return Speech(f"This is {name}.", ("",) * int(actions.n), _describe_by_space, known=False)


def _describe_by_space(env: gymnasium.Env[Any, Any], observation: Any) -> str:
    return "State: " + describe_value(env.observation_space, observation)


def describe_value(space: gymnasium.Space[Any], value: Any) -> str:
    """Put an element of a space into words.

    Raises:
        UsageError: If it holds too many numbers to be read out.
    """
    match space:
        case spaces.Discrete():
            return f"{int(value)} (of {int(space.start)} to {int(space.start + space.n) - 1})"
        case spaces.Text():
            return str(value)
        case spaces.Tuple():
            return "; ".join(describe_value(part, v) for part, v in zip(space.spaces, value, strict=True))
        case spaces.Dict():
            return "; ".join(f"{key}: {describe_value(part, value[key])}" for key, part in space.spaces.items())
        case spaces.Box() | spaces.MultiDiscrete() | spaces.MultiBinary():
            array = np.asarray(value)
            if array.size > _SPOKEN_NUMBERS:
                raise UsageError(
                    f"An observation of {array.size} numbers (shape {array.shape}) cannot be read out; give "
                    "TextWorld a describe=(env, observation) -> str."
                )
            return str(_rounded(array.tolist()))
        case _:
            return str(value)


def _rounded(value: Any) -> Any:
    """Cut floats to four significant digits, and drop the sign of zero."""
    if isinstance(value, list):
        return [_rounded(v) for v in value]
    return float(f"{value:.4g}") + 0.0 if isinstance(value, float) else value


def _describe_frozen_lake(env: Any, observation: Any) -> str:
    rows = [[tile.decode() for tile in row] for row in env.desc]
    row, column = divmod(int(observation), len(rows[0]))
    tile = rows[row][column]
    rows[row][column] = "P"
    where = {"H": "You fell into a hole.", "G": "You reached the goal."}.get(tile, f"You stand on {tile}.")
    return "\n".join("".join(r) for r in rows) + f"\n{where} Row {row}, column {column}."


_LANDMARKS = ("Red (row 0, column 0)", "Green (row 0, column 4)", "Yellow (row 4, column 0)", "Blue (row 4, column 3)")


def _describe_taxi(env: Any, observation: Any) -> str:
    row, column, passenger, destination = env.decode(int(observation))
    waits = "rides in the taxi" if passenger == 4 else f"is at {_LANDMARKS[passenger]}"
    return f"Taxi: row {row}, column {column}. The passenger {waits} and wants to go to {_LANDMARKS[destination]}."


def _describe_blackjack(env: Any, observation: Any) -> str:
    del env
    total, dealer, ace = (int(part) for part in observation)
    shows = "an ace" if dealer == 1 else str(dealer)
    held = "with" if ace else "without"
    return f"Your cards add up to {total}, {held} a usable ace. The dealer shows {shows}."


def _describe_cart_pole(env: Any, observation: Any) -> str:
    del env
    position, speed, angle, turn = (float(part) for part in observation)
    return (
        f"Cart: position {position:+.3f}, velocity {speed:+.3f} (right is positive). "
        f"Pole: {math.degrees(angle):+.2f} degrees, turning {math.degrees(turn):+.2f} degrees a second "
        "(leaning right is positive)."
    )


def _ended_in_plus(total: float, terminated: bool) -> bool:
    return terminated and total > 0.0


def _ended(total: float, terminated: bool) -> bool:
    del total
    return terminated


_TOY, _CLASSIC = "gymnasium.envs.toy_text", "gymnasium.envs.classic_control"
_KNOWN: Mapping[str, Speech] = MappingProxyType(
    {
        f"{_TOY}.frozen_lake:FrozenLakeEnv": Speech(
            "You (P) are on a frozen lake. Walk from the start S to the goal G over ice F; a hole H ends the walk. "
            "The ice may be slippery: then a step may also go to either side of where you meant to go.",
            ("left", "down", "right", "up"),
            _describe_frozen_lake,
            # Only the goal pays; the threshold in the registry is one for averages.
            _ended_in_plus,
        ),
        f"{_TOY}.taxi:TaxiEnv": Speech(
            "You drive a taxi in a town of 5 rows (0 is north) and 5 columns (0 is west). Fetch the passenger, take "
            "them where they want to go, drop them off. A step costs 1, a wrong pick up or drop off 10; arriving pays "
            "20. Between two columns of this map | is a wall and : is open:\n"
            "|R: | : :G|\n| : | : : |\n| : : : : |\n| | : | : |\n|Y| : |B: |",
            ("south", "north", "east", "west", "pick up", "drop off"),
            _describe_taxi,
            _ended,
            # As much as wasting all 200 steps costs, or babbling would pay better than driving badly.
            penalty=-200.0,
        ),
        f"{_TOY}.blackjack:BlackjackEnv": Speech(
            "This is Blackjack. Come closer to 21 than the dealer without going over; an ace counts 11 while that "
            "does not go over, the dealer draws to 17. Hit takes a card, stick ends your turn.",
            ("stick|stand|stay", "hit"),
            _describe_blackjack,
            _ended_in_plus,
            penalty=-1.0,
        ),
        f"{_CLASSIC}.cartpole:CartPoleEnv": Speech(
            "Balance the pole on the cart: every turn, push the cart left or right. It is over when the pole leans "
            "more than 12 degrees or the cart is more than 2.4 from the middle; each turn before that pays 1.",
            ("left", "right"),
            _describe_cart_pole,
        ),
    }
)
