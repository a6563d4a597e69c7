"""The writer of PettingZoo's chess."""

from typing import Any

from palaestra.envs.arena.writers.writer import Writer
from pettingzoo.classic.chess import chess_utils

__all__ = ["ChessWriter"]


class ChessWriter(Writer):
    """Chess (`chess_v6`): the board from White's side, FEN and the last move; moves in UCI."""

    explanation = (
        "Chess. player_0 is White and begins, player_1 is Black. In the diagram, capitals are White's. Write your move "
        "in UCI, where it goes from and to: e2e4, e1g1 to castle, e7e8q to promote. The game is drawn as soon as a "
        "draw can be claimed: the position for the third time, or fifty moves without a capture or a pawn's move."
    )
    lowest, zero_sum, instant = -1.0, True, True

    def picture(self, env: Any) -> str:  # noqa: D102
        ranks = str(env.board).splitlines()
        return "\n".join([*(f"{8 - row} {rank}" for row, rank in enumerate(ranks)), "  a b c d e f g h"])

    def tell(self, env: Any, agent: str, observation: Any) -> str:  # noqa: D102
        del observation
        colour = "Black" if env.possible_agents.index(agent) else "White"
        last = f"\nLast move: {env.board.peek().uci()}" if env.board.move_stack else ""
        return f"You are {colour}.\n{self.picture(env)}\nFEN: {env.board.fen()}{last}"

    def word(self, env: Any, agent: str, action: int) -> str:  # noqa: D102
        move = chess_utils.action_to_move(env.board, action, env.possible_agents.index(agent))
        return str(move.uci())
