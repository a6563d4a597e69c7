"""Writers of PettingZoo's poker games, which are RLCard's."""

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, Final

from palaestra.envs.arena.writers.writer import Writer

__all__ = ["HoldemWriter", "LeducWriter", "NoLimitWriter", "PokerWriter", "cards"]

_LIMIT: Final = ("call", "raise", "fold", "check")
_NO_LIMIT: Final = ("fold", "call", "raise half", "raise pot", "all in")


def cards(indices: Iterable[str]) -> str:
    """Return cards as people write them: RLCard's `SA` is `As`."""
    return " ".join(f"{index[1]}{index[0].lower()}" for index in indices) or "none"


class PokerWriter(Writer):
    """What the poker games share: who put in how many chips, and what was said."""

    zero_sum, instant = True, True

    @abstractmethod
    def _seen(self, env: Any, seat: int) -> str:
        """Return the cards that a seat sees."""

    def tell(self, env: Any, agent: str, observation: Any) -> str:  # noqa: D102
        # The observation mixes up hand and board, so the game is asked, for this seat alone.
        del observation
        names, game = env.possible_agents, env.env
        seat = names.index(agent)
        chips = [
            f"{'you' if other == seat else name} {player.in_chips}"
            for other, (name, player) in enumerate(zip(names, game.game.players, strict=True))
        ]
        said = [f"{names[who]} {self._said(move)}" for who, move in game.action_recorder]
        return (
            f"You are {agent}. {self._seen(env, seat)}\nChips in: {', '.join(chips)}.{self._left(env, seat)}\n"
            f"Said so far: {', '.join(said) or 'nothing'}."
        )

    def _said(self, move: Any) -> str:
        """Return what a move of RLCard's is called."""
        return str(move)

    def _left(self, env: Any, seat: int) -> str:
        """Return what chips are left, where that matters."""
        del env, seat
        return ""

    def word(self, env: Any, agent: str, action: int) -> str:  # noqa: D102
        del env, agent
        return _LIMIT[action]


class LeducWriter(PokerWriter):
    """Leduc hold'em (`leduc_holdem_v4`)."""

    explanation = (
        "Leduc hold'em, two players. The deck is J, Q and K in spades and hearts. One pays a small blind of 1 chip, "
        "the other a big blind of 2, and each gets one card that only they see. A round of betting, then one card is "
        "laid open for both, then another round. A raise is 2 chips in the first round and 4 in the second, at most "
        "two a round. Who has a pair with the open card wins, else the higher card. What you win or lose is counted in "
        "big blinds. Say call, raise, fold or check."
    )
    lowest = -7.0

    def _seen(self, env: Any, seat: int) -> str:
        game = env.env.game
        board = [game.public_card.get_index()] if game.public_card else []
        return f"Card: {cards([game.players[seat].hand.get_index()])}. Board: {cards(board)}."


class HoldemWriter(PokerWriter):
    """Limit Texas hold'em (`texas_holdem_v4`) for two or more players."""

    explanation = (
        "Limit Texas hold'em. One player pays a small blind of 1 chip, the next a big blind of 2, and each gets two "
        "cards that only they see. Four rounds of betting; after the first three, 3, 1 and 1 cards are laid open for "
        "all. A raise is 2 chips in the first two rounds and 4 in the others, at most four a round. The best five of "
        "seven cards win. What you win or lose is counted in big blinds. Say call, raise, fold or check."
    )
    lowest = -25.0

    def _seen(self, env: Any, seat: int) -> str:
        game = env.env.game
        hand = [card.get_index() for card in game.players[seat].hand]
        return f"Cards: {cards(hand)}. Board: {cards(card.get_index() for card in game.public_cards)}."


class NoLimitWriter(HoldemWriter):
    """No-limit Texas hold'em (`texas_holdem_no_limit_v6`) for two or more players."""

    explanation = (
        "No-limit Texas hold'em, 100 chips each. One player pays a small blind of 1 chip, the next a big blind of 2, "
        "and each gets two cards that only they see. Four rounds of betting; after the first three, 3, 1 and 1 cards "
        "are laid open for all. Raise half puts in half of what is in the pot, raise pot all of it, all in whatever "
        "you have left. The best five of seven cards win. What you win or lose is counted in chips. Say fold, check, "
        "call, raise half, raise pot or all in."
    )
    lowest = -100.0

    def _said(self, move: Any) -> str:
        word = _NO_LIMIT[move.value]
        return "check or call" if word == "call" else word

    def _left(self, env: Any, seat: int) -> str:
        names = env.possible_agents
        left = [
            f"{'you' if other == seat else name} {player.remained_chips}"
            for other, (name, player) in enumerate(zip(names, env.env.game.players, strict=True))
        ]
        return f" Left: {', '.join(left)}."

    def word(self, env: Any, agent: str, action: int) -> str:  # noqa: D102
        word = _NO_LIMIT[action]
        if word == "call":
            players = env.env.game.players
            paid = players[env.possible_agents.index(agent)].in_chips
            return "check" if paid == max(player.in_chips for player in players) else "call"
        return word
