"""The writer of PettingZoo's gin rummy."""

from typing import Any, Final

from palaestra.envs.arena.writers.poker import cards
from palaestra.envs.arena.writers.writer import Writer

__all__ = ["GinRummyWriter"]

_SUITS: Final = "SHDC"
_RANKS: Final = "A23456789TJQK"
_DISCARD, _KNOCK = 6, 58
_CALLS: Final = ("score player_0", "score player_1", "draw", "pick up", "declare dead", "gin")


def _sorted(held: Any) -> str:
    return cards(sorted((c.get_index() for c in held), key=lambda c: (_SUITS.index(c[0]), _RANKS.index(c[1]))))


class GinRummyWriter(Writer):
    """Gin rummy (`gin_rummy_v4`): one hand, with what is known of the other player's cards.

    RLCard shows everybody the hand of whose turn it is, whoever asks; what is told here is each player's own.

    Args:
        env: The environment, whose rewards are explained.
    """

    lowest, instant = -1.0, True

    def __init__(self, env: Any) -> None:
        self.explanation = (
            "Gin rummy, one hand of ten cards each. Melds are three or four cards of a rank, or three or more in a row "
            "of a suit; cards in no meld are deadwood: an ace counts 1, a picture 10, others what they show. In turn, "
            "draw a card or pick up the top of the discard pile, then discard one. With deadwood of at most 10 after "
            "the discard you may knock with it, without any say gin; when two cards are left in the stock the hand can "
            f"be declared dead. Knocking pays {env._knock_reward:g}, gin {env._gin_reward:g}; whoever does neither "
            "loses their deadwood, divided by 100. Say draw, pick up, discard Ks, knock Ks, gin or declare dead, and "
            "at the end, when asked, score player_0 and score player_1."
        )

    def tell(self, env: Any, agent: str, observation: Any) -> str:  # noqa: D102
        del observation
        seat = env.possible_agents.index(agent)
        table = env.env.game.round
        own, other = table.players[seat], table.players[1 - seat]
        pile = [card.get_index() for card in table.dealer.discard_pile]
        return (
            f"You are {agent}. Your hand: {_sorted(own.hand)}.\n"
            f"Discard pile: top {cards(pile[-1:])}, below it {cards(reversed(pile[:-1]))}. "
            f"Cards in the stock: {len(table.dealer.stock_pile)}.\n"
            f"{env.possible_agents[1 - seat]} is known to hold: {_sorted(other.known_cards)}."
        )

    def word(self, env: Any, agent: str, action: int) -> str:  # noqa: D102
        del env, agent
        if action < _DISCARD:
            return _CALLS[action]
        verb, card = ("discard", action - _DISCARD) if action < _KNOCK else ("knock", action - _KNOCK)
        return f"{verb} {_RANKS[card % 13]}{_SUITS[card // 13]}".lower()
