"""PettingZoo's classic games: what builds each, and who writes it."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from palaestra.envs.arena.writers.writer import Writer

__all__ = ["CLASSIC", "Classic"]

_HERE: Final = "palaestra.envs.arena.writers"


@dataclass(frozen=True)
class Classic:
    """One classic game.

    Attributes:
        build: `module:function` that makes the bare environment. Its wrappers would look at every move once more.
        writer: `module:Class` of its writer.
        given: Whether the writer is made for the environment at hand, whose settings it explains.
        gone: Why PettingZoo may not have it, for a person.
    """

    build: str
    writer: str
    given: bool = False
    gone: str = ""

    def builder(self) -> Callable[..., Any]:
        """Import what builds the game; ImportError where something is missing."""
        return _loaded(self.build)

    def written(self, env: Any) -> Writer:
        """Return the writer of a bare environment of this game."""
        writer: Writer = _loaded(self.writer)(env) if self.given else _loaded(self.writer)()
        return writer


def _loaded(path: str) -> Callable[..., Any]:
    module, _, name = path.partition(":")
    loaded: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return loaded


_PETTINGZOO: Final = "pettingzoo.classic"
CLASSIC: Final[Mapping[str, Classic]] = MappingProxyType(
    {
        "chess_v6": Classic(f"{_PETTINGZOO}.chess.chess:raw_env", f"{_HERE}.chess:ChessWriter"),
        "connect_four_v3": Classic(
            f"{_PETTINGZOO}.connect_four.connect_four:raw_env", f"{_HERE}.boards:ConnectFourWriter"
        ),
        "gin_rummy_v4": Classic(
            f"{_PETTINGZOO}.rlcard_envs.gin_rummy:raw_env",
            f"{_HERE}.gin_rummy:GinRummyWriter",
            given=True,
            gone="PettingZoo 1.27 dropped it: pip install 'pettingzoo<1.27'.",
        ),
        "go_v5": Classic(f"{_HERE}.go:own_board", f"{_HERE}.go:GoWriter", given=True),
        "hanabi_v5": Classic(f"{_PETTINGZOO}.hanabi.hanabi:raw_env", f"{_HERE}.hanabi:HanabiWriter", given=True),
        "leduc_holdem_v4": Classic(f"{_PETTINGZOO}.rlcard_envs.leduc_holdem:raw_env", f"{_HERE}.poker:LeducWriter"),
        "rps_v2": Classic(f"{_PETTINGZOO}.rps.rps:raw_env", f"{_HERE}.rps:RockPaperScissorsWriter", given=True),
        "texas_holdem_no_limit_v6": Classic(
            f"{_PETTINGZOO}.rlcard_envs.texas_holdem_no_limit:raw_env", f"{_HERE}.poker:NoLimitWriter"
        ),
        "texas_holdem_v4": Classic(f"{_PETTINGZOO}.rlcard_envs.texas_holdem:raw_env", f"{_HERE}.poker:HoldemWriter"),
        "tictactoe_v3": Classic(f"{_PETTINGZOO}.tictactoe.tictactoe:raw_env", f"{_HERE}.boards:TicTacToeWriter"),
    }
)
"""Every classic game that has a writer, by the name of its module."""
