"""What the writers of PettingZoo's classic games say: exact words, and nothing that an agent may not know."""

import re
from importlib.util import find_spec
from typing import Any

import chess
import numpy as np
import pytest
from palaestra.envs.arena.catalogue import make_arena
from palaestra.envs.arena.spoken import SpokenArena, spoken
from palaestra.envs.arena.writers.gin_rummy import GinRummyWriter
from palaestra.envs.arena.writers.hanabi import tell_cards
from palaestra.envs.errors import UsageError
from pettingzoo.classic.rlcard_envs.rlcard_base import RLCardBase
from rlcard.games.base import Card

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def after(name: str, *moves: str, seed: int = 0, **settings: Any) -> SpokenArena:
    arena = spoken(name, explain=False, **settings)
    arena.reset(seed=seed)
    for move in moves:
        arena.step(move)
        assert arena.fault is None, move
    return arena


def test_tic_tac_toe() -> None:
    arena = after("tictactoe_v3", "2", "4", "9")
    assert arena.observe("player_2") == "You are O.\n1 X2 3\nO4 5 6\n7 8 X9\nMoves: 1, 7, 5, 8, 3, 6"
    assert arena.observe("player_1") == "You are X.\n1 X2 3\nO4 5 6\n7 8 X9"
    # PettingZoo numbers the cells column by column: 2 is its 3, 4 its 1.
    assert arena.world.board.squares == [0, 2, 0, 1, 0, 0, 0, 0, 1]
    assert after("tictactoe_v3", "1", "9", "2", "8", "3").rewards == {"player_1": 1.0, "player_2": -1.0}


def test_connect_four() -> None:
    arena = after("connect_four_v3", "4", "4", "1", "4", "4", "4", "4")
    assert arena.observe("player_1") == (
        "You are O.\n...X...\n...O...\n...X...\n...O...\n...O...\nX..X...\nMoves: 1, 2, 3, 5, 6, 7"
    )
    assert str(arena.picture()).endswith("\nX..X...\n1234567")


def test_the_same_games_are_told_in_the_same_words() -> None:
    for name, own, moves in (("tictactoe_v3", "tic_tac_toe", "51937"), ("connect_four_v3", "connect_four", "4433215")):
        arena, other = after(name), make_arena(f"{own}?explain=false")
        other.reset(seed=0)
        for move in moves:
            told = [arena.tell(seat).replace("player_2", "player_1") for seat in (0, 1)]
            board = [text.partition("\nMoves")[0] for text in told]
            assert board == [other.tell(seat).partition("\nMoves")[0] for seat in (0, 1)]
            assert set(arena.legal()) == set(other.legal() or ())
            arena.step(move)
            other.step(move)


def test_chess() -> None:
    arena = after("chess_v6", "e2e4", "d7d5")
    told = arena.observe("player_0")
    assert told.startswith(
        "You are White.\n"
        "8 r n b q k b n r\n7 p p p . p p p p\n6 . . . . . . . .\n5 . . . p . . . .\n"
        "4 . . . . P . . .\n3 . . . . . . . .\n2 P P P P . P P P\n1 R N B Q K B N R\n  a b c d e f g h\n"
        "FEN: rnbqkbnr/ppp1pppp/8/3p4/4P3/8/PPPP1PPP/RNBQKBNR w KQkq - 0 2\nLast move: d7d5\nMoves: "
    )
    assert "e4d5" in told.partition("Moves: ")[2].split(", ")
    assert arena.observe("player_1").splitlines()[0] == "You are Black."


@pytest.mark.parametrize(
    ("fen", "white"), [("8/P6k/8/8/8/8/6Kp/8 w - - 0 1", True), ("8/P6k/8/8/8/8/6Kp/8 b - - 0 1", 0)]
)
def test_chess_promotes_to_every_piece(fen: str, white: bool) -> None:
    for piece in "qrbn":
        arena = after("chess_v6", *([] if white else ["e2e4"]))
        arena.world.board.set_fen(fen)
        arena._advance()
        move = f"a7a8{piece}" if white else f"h2h1{piece}"
        arena.step(move)
        assert arena.world.board.peek().uci() == move


def test_chess_offers_the_moves_of_chess() -> None:
    generator, arena = np.random.default_rng(0), after("chess_v6")
    board, castled = chess.Board(), 0
    for game in range(6):
        arena.reset(seed=game)
        board.reset()
        while not arena.over and board.ply() < 120:
            assert set(arena.legal()) == {move.uci() for move in board.legal_moves}
            castling = [word for word in arena.legal() if board.is_castling(chess.Move.from_uci(word))]
            castled += bool(castling)
            word = castling[0] if castling else arena.sample_action(generator)
            board.push_uci(word)
            arena.step(word)
            assert arena.world.board.fen() == board.fen()
    assert castled


def test_go() -> None:
    # Black surrounds the white stone on a5.
    arena = after("go_v5", "b5", "a5", "a4", board_size=5)
    assert arena.observe("white_0") == (
        "You are O.\n 5 . X . . .\n 4 X . . . .\n 3 . . . . .\n 2 . . . . .\n 1 . . . . .\n   a b c d e\n"
        "Taken: 0 by you, 1 by the other. Last move: a4.\nMoves: "
        "c5, d5, e5, b4, c4, d4, e4, a3, b3, c3, d3, e3, a2, b2, c2, d2, e2, a1, b1, c1, d1, e1, pass"
    )
    assert arena.observe("black_0").endswith("Taken: 1 by you, 0 by the other. Last move: a4.")
    arena = after("go_v5", "pass", board_size=19)
    told = arena.observe("white_0")
    assert told.splitlines()[20] == "   a b c d e f g h j k l m n o p q r s t"
    assert told.endswith("Last move: pass.\nMoves: 362, such as a19, b19, c19, d19, e19")
    arena.step("t1")
    assert arena.world._go.board[18, 18] == -1


def test_rock_paper_scissors() -> None:
    arena = after("rps_v2", "paper")
    assert arena.observe("player_1") == "You are player_1. Round 1 of 15.\nMoves: rock, paper, scissors"
    arena.step("rock")
    assert arena.observe("player_0") == (
        "You are player_0. Round 2 of 15.\nLast round: you paper, player_1 rock.\nMoves: rock, paper, scissors"
    )
    hidden = {after("rps_v2", "rock", "rock", word).observe("player_1") for word in ("rock", "paper", "scissors")}
    assert len(hidden) == 1
    assert after("rps_v2", "spock", num_actions=7).legal().keys() >= {"lizard", "action 6", "action 7"}


@pytest.mark.parametrize("count", [3, 5, 7])
def test_rock_paper_scissors_explains_who_wins(count: int) -> None:
    arena = spoken("rps_v2", num_actions=count, max_cycles=1)
    arena.reset()
    words, explained = list(arena.legal()), arena.explanation
    assert explained.count(" beats ") == count * (count - 1) / 2
    for one in words:
        for other in words:
            arena.reset()
            arena.step(one)
            arena.step(other)
            assert (arena.rewards["player_0"] == 1) == (f"{one} beats {other}" in explained)


def test_leduc() -> None:
    arena = after("leduc_holdem_v4", "raise", "call", seed=5)
    game = arena.world.env.game
    game.players[0].hand, game.players[1].hand, game.public_card = Card("S", "Q"), Card("H", "J"), Card("S", "K")
    arena._advance()
    assert arena.observe("player_0") == (
        "You are player_0. Card: Qs. Board: Ks.\nChips in: you 4, player_1 4.\n"
        "Said so far: player_0 raise, player_1 call.\nMoves: raise, fold, check"
    )
    assert arena.observe("player_1") == (
        "You are player_1. Card: Jh. Board: Ks.\nChips in: player_0 4, you 4.\n"
        "Said so far: player_0 raise, player_1 call."
    )


def test_holdem() -> None:
    arena = after("texas_holdem_v4", "call", "check", seed=5)
    game = arena.world.env.game
    game.players[0].hand = [Card("S", "A"), Card("H", "T")]
    game.public_cards = [Card("C", "2"), Card("D", "9"), Card("D", "K")]
    arena._advance()
    assert arena.observe("player_0") == (
        "You are player_0. Cards: As Th. Board: 2c 9d Kd.\nChips in: you 2, player_1 2.\n"
        "Said so far: player_0 call, player_1 check.\nMoves: raise, fold, check"
    )


def test_no_limit_holdem() -> None:
    arena = after("texas_holdem_no_limit_v6", "raise pot", "call", seed=5)
    game = arena.world.env.game
    for player in game.players:
        player.hand = [Card("S", "A"), Card("H", "T")]
    game.public_cards = []
    arena._advance()
    assert arena.observe(arena.agent_selection) == (
        "You are player_1. Cards: As Th. Board: none.\nChips in: player_0 4, you 4. Left: player_0 96, you 96.\n"
        "Said so far: player_1 raise pot, player_0 check or call.\nMoves: fold, check, raise half, raise pot, all in"
    )


@pytest.mark.parametrize(
    ("name", "lowest"), [("leduc_holdem_v4", -7.0), ("texas_holdem_v4", -25.0), ("texas_holdem_no_limit_v6", -100.0)]
)
def test_nobody_loses_more_than_who_gives_up(name: str, lowest: float) -> None:
    arena, least = spoken(name), 0.0
    for seed in range(12):
        arena.reset(seed=seed)
        while not arena.over:
            legal = arena.legal()
            arena.step(next(word for word in ("all in", "raise", "call", "check") if word in legal))
        least = min(least, *arena.rewards.values())
    assert least == lowest
    arena.reset(seed=0)
    loser = arena.agent_selection
    arena.step("I fold!")
    assert arena.rewards[loser] == lowest
    assert sum(arena.rewards.values()) == 0


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("leduc_holdem_v4", {}),
        ("texas_holdem_v4", {}),
        ("texas_holdem_v4", {"num_players": 4}),
        ("texas_holdem_no_limit_v6", {"num_players": 3}),
    ],
)
def test_poker_hides_the_cards_of_others(name: str, settings: dict[str, Any]) -> None:
    """What one is told does not change with the others' cards, but does with one's own."""
    generator, arena = np.random.default_rng(0), spoken(name, **settings)
    joker = Card("RJ", "")
    joker.get_index = lambda: "?!"  # type: ignore[method-assign]
    looked = 0
    for seed in range(8):
        arena.reset(seed=seed)
        while not arena.over:
            players = arena.world.env.game.players
            for seat, agent in enumerate(arena.possible_agents):
                told = arena.writer.tell(arena.world, agent, None)
                assert told in arena.observe(agent)
                for other, player in enumerate(players):
                    hand, player.hand = player.hand, [joker, joker] if isinstance(player.hand, list) else joker
                    changed = arena.writer.tell(arena.world, agent, None) != told
                    player.hand = hand
                    assert changed == (other == seat)
                    looked += 1
            arena.step(arena.sample_action(generator))
    assert looked > 50


SEEN = """Life tokens: 2
Info tokens: 5
Fireworks: R1 Y0 G3
Hands:
XX || XX|RYG1345
XX || X5|RY5
-----
R5 || R5|R5
G2 || GX|G1234
-----
Y4 || XX|RYG12345
Deck size: 9
Discards: R3 Y5
"""


def test_hanabi_text_of_a_position() -> None:
    assert tell_cards(SEEN, ["player_2", "player_0"]) == (
        "Lives: 2. Information tokens: 5. Cards in the deck: 9.\n"
        "Fireworks: red 1, yellow 0, green 3. Discarded: R3 Y5.\n"
        "Your cards: 1 ? (told nothing, may be RYG1345); 2 ? (told 5, may be RY5).\n"
        "Cards of player_2: 1 R5 (told R5, may be R5); 2 G2 (told G, may be G1234).\n"
        "Cards of player_0: 1 Y4 (told nothing, may be RYG12345)."
    )


def test_hanabi_hides_ones_own_cards_and_names_the_others_rightly() -> None:
    generator = np.random.default_rng(0)
    arena = spoken("hanabi_v5", colors=4, players=3, explain=False)
    hints = 0
    for seed in range(3):
        arena.reset(seed=seed)
        for _ in range(25):
            if arena.over:
                break
            state = str(arena.world.hanabi_env.game_state)
            hands = state.partition("Hands:\n")[2].partition("Deck")[0].split("-----\n")
            truth = [[line[:2] for line in hand.splitlines() if "||" in line] for hand in hands]
            for seat, agent in enumerate(arena.possible_agents):
                own, *others = [line for line in arena.tell(seat).splitlines() if "ards" in line.partition(":")[0]][-3:]
                assert own.count("?") == len(truth[seat])
                for step, line in enumerate(others, 1):
                    other = (seat + step) % 3
                    assert line.startswith(f"Cards of player_{other}:")
                    assert [card.split()[1] for card in line.partition(": ")[2].split("; ")] == truth[other]
                    assert agent in arena.tell(seat)
            word = arena.sample_action(generator)
            arena.step(word)
            if word.startswith("tell") and not arena.over:
                _, whom, what = word.split()
                other, letter = int(whom[-1]), what[0].upper()
                own = next(line for line in arena.tell(other).splitlines() if line.startswith("Your cards"))
                meant = [letter in card for card in truth[other]]
                assert any(meant)
                assert [letter in told for told in re.findall(r"told (\w+)", own)] == meant
                hints += 1
    assert hints > 5


def test_hanabi_pays_all_alike_and_sums_what_is_paid_on_the_way() -> None:
    arena = spoken("hanabi_v5", colors=2, ranks=2, hand_size=2, max_life_tokens=10)
    generator, scores = np.random.default_rng(0), set()
    for seed in range(10):
        arena.reset(seed=seed)
        while not arena.over:
            plays = [word for word in arena.legal() if word.startswith("play")]
            arena.step(str(generator.choice(plays)))
        score = sum(arena.world.hanabi_env.game_state.returns()) / 2
        assert set(arena.rewards.values()) == {score}
        scores.add(score)
    assert max(scores) > 1


class Gin(RLCardBase):  # type: ignore[misc]
    """Gin rummy as PettingZoo had it until 1.26, without its pictures and its rewards."""

    def __init__(self) -> None:
        super().__init__("gin-rummy", 2, (5, 52))
        self.metadata = {"name": "gin_rummy_v4"}
        self.render_mode = None
        self._knock_reward, self._gin_reward = 0.5, 1.0


def gin(seed: int) -> SpokenArena:
    arena = SpokenArena(Gin, GinRummyWriter, explain=False)
    arena.reset(seed=seed)
    return arena


def test_gin_rummy() -> None:
    arena = gin(0)
    table = arena.world.env.game.round
    own, other = table.players
    own.hand = [Card("C", "2"), Card("S", "K"), Card("S", "A")]
    other.hand, other.known_cards = [Card("H", "5"), Card("H", "6")], [Card("H", "6")]
    table.dealer.discard_pile = [Card("D", "3"), Card("D", "4"), Card("D", "T")]
    table.dealer.stock_pile = [Card("D", "7")] * 12
    assert arena.writer.tell(arena.world, "player_0", None) == (
        "You are player_0. Your hand: As Ks 2c.\nDiscard pile: top Td, below it 4d 3d. Cards in the stock: 12.\n"
        "player_1 is known to hold: 6h."
    )
    words = [arena.writer.word(arena.world, "player_0", action) for action in (0, 2, 3, 4, 5, 6, 57, 58, 97, 109)]
    assert words == [
        *("score player_0", "draw", "pick up", "declare dead", "gin"),
        *("discard as", "discard kc", "knock as", "knock ac", "knock kc"),
    ]


def test_gin_rummy_hides_the_other_hand() -> None:
    generator, games = np.random.default_rng(0), 0
    for seed in range(4):
        arena = gin(seed)
        while not arena.over:
            table = arena.world.env.game.round
            for seat, player in enumerate(table.players):
                told = arena.writer.tell(arena.world, f"player_{seat}", None)
                other = table.players[1 - seat]
                hand, other.hand = other.hand, [Card("RJ", "")]
                assert arena.writer.tell(arena.world, f"player_{seat}", None) == told
                other.hand = hand
                shown = told.partition("Your hand: ")[2].partition(".")[0].split()
                assert sorted(shown) == sorted(f"{card.rank}{card.suit.lower()}" for card in player.hand)
            word = arena.sample_action(generator)
            verb, card = word.partition(" ")[::2]
            if verb == "discard":
                assert card in arena.tell(arena.seat).partition("Your hand: ")[2].partition(".")[0].lower()
            arena.step(word)
        games += 1
    assert games == 4


@pytest.mark.skipif(find_spec("pettingzoo.classic.rlcard_envs.gin_rummy") is not None, reason="it is in this one")
def test_gin_rummy_is_not_in_every_pettingzoo() -> None:
    with pytest.raises(UsageError, match=r"gin_rummy_v4 is not in PettingZoo [\d.]+\. .*pip install 'pettingzoo<1.27'"):
        spoken("gin_rummy_v4")


def test_an_onlooker_sees_the_whole_board() -> None:
    arena = spoken("tictactoe_v3", render_mode="ansi")
    arena.reset()
    arena.step("5")
    assert arena.render() == "1 2 3\n4 X5 6\n7 8 9"
    arena = spoken("leduc_holdem_v4", render_mode="ansi")
    arena.reset(seed=0)
    picture = arena.render()
    assert picture is not None
    assert picture.count("Card: ") == 2
