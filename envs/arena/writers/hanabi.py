"""The writer of PettingZoo's Hanabi, which is OpenSpiel's."""

import re
from typing import Any, Final

from palaestra.envs.arena.writers.writer import Writer

__all__ = ["HanabiWriter", "tell_cards"]

_COLOURS: Final = {"R": "red", "Y": "yellow", "G": "green", "W": "white", "B": "blue"}
_REVEAL: Final = re.compile(r"\(Reveal player \+(\d+) (color|rank) (\w)\)")
_USE: Final = re.compile(r"\((Play|Discard) (\d+)\)")


class HanabiWriter(Writer):
    """Hanabi (`hanabi_v5`): tokens, fireworks, discards, the others' cards and what hints have told of each.

    Args:
        env: The environment, whose cards and tokens are explained.
    """

    lowest, instant = 0.0, True

    def __init__(self, env: Any) -> None:
        given = env._config
        colours, ranks = list(_COLOURS.values())[: given["colors"]], given["ranks"]
        self.explanation = (
            f"Hanabi, {given['players']} players together, {given['hand_size']} cards each in hand (a player sees all "
            f"cards but their own). The cards have colours ({', '.join(colours)}) and ranks 1 to {ranks}; of each "
            f"colour there are three 1s, one {ranks} and two of every other rank. Build a firework of each colour from "
            f"1 up to {ranks}: each card that fits is worth 1 to everybody. In turn, play a card, discard one (which "
            f"brings back an information token, up to {given['max_information_tokens']}), or give one to tell a player "
            "all their cards of a colour or a rank. A card that does not fit costs a life token; without lives all is "
            "lost. When the deck is empty each has one more turn. Say play 1, discard 1 (positions from 1), or a hint "
            "such as tell player_1 red, tell player_1 3."
        )

    def tell(self, env: Any, agent: str, observation: Any) -> str:  # noqa: D102
        del observation
        names = env.possible_agents
        seat = names.index(agent)
        seen = env.hanabi_env.game_state.observation_string(seat)
        return f"You are {agent}. {tell_cards(seen, [*names[seat + 1 :], *names[:seat]])}"

    def word(self, env: Any, agent: str, action: int) -> str:  # noqa: D102
        names = env.possible_agents
        seat = names.index(agent)
        said = env.hanabi_env.game_state.action_to_string(seat, action)
        if hint := _REVEAL.fullmatch(said):
            return f"tell {names[(seat + int(hint[1])) % len(names)]} {_COLOURS.get(hint[3], hint[3])}"
        use = _USE.fullmatch(said)
        if use is None:
            raise ValueError(f"OpenSpiel calls a move of Hanabi {said!r}, expected Play, Discard or Reveal.")
        return f"{use[1].lower()} {int(use[2]) + 1}"

    def forfeit(self, seat: int, so_far: tuple[float, ...]) -> tuple[float, ...]:
        """Return what each seat gets when one gives up: the game is lost for all."""
        del seat
        return (self.lowest or 0.0,) * len(so_far)

    def picture(self, env: Any) -> str:  # noqa: D102
        return str(env.hanabi_env.game_state).strip()


def tell_cards(seen: str, others: list[str]) -> str:
    """Put OpenSpiel's account of what one player sees into words.

    Args:
        seen: The observation string: tokens, fireworks, hands (the player's own first) with hints, deck, discards.
        others: Names of the other players, from the next one on.
    """
    head, _, rest = seen.partition("Hands:\n")
    tokens = dict(re.findall(r"^(\w+) tokens: (\d+)", head, re.MULTILINE))
    fireworks = re.findall(r"([RYGWB])(\d)", head.partition("Fireworks:")[2])
    hands, _, tail = rest.partition("Deck size:")
    deck, _, discards = tail.partition("Discards:")
    lines = [
        f"Lives: {tokens['Life']}. Information tokens: {tokens['Info']}. Cards in the deck: {deck.strip()}.",
        f"Fireworks: {', '.join(f'{_COLOURS[colour]} {rank}' for colour, rank in fireworks)}. "
        f"Discarded: {' '.join(discards.split()) or 'none'}.",
    ]
    for name, hand in zip(["you", *others], hands.split("-----\n"), strict=True):
        held = [_card(number, line) for number, line in enumerate(_rows(hand), 1)]
        lines.append(f"{'Your cards' if name == 'you' else f'Cards of {name}'}: {'; '.join(held) or 'none'}.")
    return "\n".join(lines)


def _rows(hand: str) -> list[str]:
    return [line for line in hand.splitlines() if "||" in line]


def _card(number: int, line: str) -> str:
    """Return a card, what hints have named of it and what it may still be: `XX || X5|RYG5` is `? (told 5, may ...)`."""
    card, _, told = line.partition(" || ")
    named, _, possible = told.partition("|")
    known = named.replace("X", "")
    shown = "?" if card == "XX" else card
    return f"{number} {shown} (told {known or 'nothing'}, may be {possible})"
