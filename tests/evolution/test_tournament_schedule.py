from collections import Counter
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import TypeAlias

import pytest
from palaestra.envs.errors import UsageError
from palaestra.evolution.tournament.schedule import (
    MOST_TABLES,
    TIE_BREAKS,
    Plan,
    Round,
    Schedule,
    Table,
    Tally,
    champion,
    matches_of,
    next_round,
)

Past: TypeAlias = list[tuple[Round, Sequence[Tally]]]


def plan(players: int, schedule: Schedule, *, seats: int = 2, games: int = 2, rounds: int = 0, seed: int = 0) -> Plan:
    return Plan("arena", tuple(map(str, range(players))), seats, games, seed, schedule, rounds)


def by_number(table: Table) -> tuple[float, ...]:
    """The first named wins everything: shares of others left behind."""
    ranks = sorted(table)
    return tuple(1 - ranks.index(player) / (len(table) - 1) for player in table)


def level(table: Table) -> tuple[float, ...]:
    return (0.5,) * len(table)


def through(plan: Plan, points: Callable[[Table], tuple[float, ...]] = by_number) -> Past:
    """Play all rounds by a rule."""
    past: Past = []
    while (round_ := next_round(plan, past)) is not None:
        assert round_.number == len(past) + 1
        past.append((round_, [Tally(t, points(t), 1, (0,) * len(t)) for t in round_.tables]))
    return past


@pytest.mark.parametrize(("seats", "games"), [(2, 1), (2, 4), (3, 4), (4, 9)])
def test_a_set_has_everybody_in_every_seat_with_one_seed(seats: int, games: int) -> None:
    what = plan(6, Schedule.ROUND_ROBIN, seats=seats, games=games)
    (past,) = through(what)
    matches = matches_of(what, past[0])
    assert len({match.id for match in matches}) == len(matches) == len(past[0].tables) * what.games_per_table
    assert what.games_per_table - seats < games <= what.games_per_table
    groups: dict[str, list[tuple[int, ...]]] = {}
    for match in matches:
        groups.setdefault(match.group, []).append(match.players)
    for group, seatings in groups.items():
        assert len({match.seed for match in matches if match.group == group}) == 1
        for seat in range(seats):
            assert sorted(players[seat] for players in seatings) == sorted(seatings[0])
    assert len({match.seed for match in matches}) == len(groups)


def test_more_than_two_get_other_neighbours() -> None:
    what = plan(3, Schedule.ROUND_ROBIN, seats=3, games=60)
    matches = matches_of(what, through(what)[0][0])
    after_0 = Counter(match.players[(match.players.index(0) + 1) % 3] for match in matches)
    assert set(after_0) == {1, 2}


def test_everybody_meets_everybody_once() -> None:
    ((round_, _),) = through(plan(7, Schedule.ROUND_ROBIN))
    assert sorted(round_.tables) == sorted(combinations(range(7), 2))


def test_too_many_tables_are_sampled_evenly() -> None:
    ((round_, _),) = through(plan(40, Schedule.ROUND_ROBIN, seats=4, games=4))
    sat = Counter(player for table in round_.tables for player in table)
    assert len(round_.tables) == MOST_TABLES
    assert max(sat.values()) - min(sat.values()) <= 1
    assert all(len(set(table)) == 4 for table in round_.tables)
    again = next_round(plan(40, Schedule.ROUND_ROBIN, seats=4, games=4), [])
    assert again == round_


@pytest.mark.parametrize(("players", "rounds"), [(8, 3), (9, 4), (8, 7), (16, 4)])
def test_swiss_meets_nobody_twice(players: int, rounds: int) -> None:
    past = through(plan(players, Schedule.SWISS, rounds=rounds))
    assert len(past) == rounds
    tables = [tuple(sorted(table)) for round_, _ in past for table in round_.tables]
    assert len(set(tables)) == len(tables)
    for round_, _ in past:
        assert sorted([*round_.byes, *(p for table in round_.tables for p in table)]) == list(range(players))


def test_swiss_seats_winners_with_winners() -> None:
    past = through(plan(8, Schedule.SWISS))
    assert len(past) == 3
    won = [{max(zip(t.points, t.table, strict=True))[1] for t in tallies} for _, tallies in past]
    assert all(len(won[0] & set(table)) in (0, 2) for table in past[1][0].tables)
    best = won[0] & won[1]
    assert any(set(table) == best for table in past[2][0].tables)
    assert won[0] & won[1] & won[2] == {0}


def test_swiss_gives_nobody_a_second_bye_before_all_had_one() -> None:
    past = through(plan(5, Schedule.SWISS, rounds=5))
    assert sorted(player for round_, _ in past for player in round_.byes) == [0, 1, 2, 3, 4]


def test_swiss_of_more_seats_spreads_meetings() -> None:
    past = through(plan(9, Schedule.SWISS, seats=3, games=3, rounds=4), level)
    met = Counter(pair for round_, _ in past for t in round_.tables for pair in combinations(sorted(t), 2))
    # Four rounds of three tables of three can just let everybody meet everybody once (the affine plane of order 3).
    assert len(met) >= 27
    assert max(met.values()) <= 2


def test_swiss_rematches_when_it_must() -> None:
    past = through(plan(4, Schedule.SWISS, rounds=6))
    met = Counter(tuple(sorted(table)) for round_, _ in past for table in round_.tables)
    assert len(met) == 6


def test_the_seed_draws_the_first_round() -> None:
    first = {next_round(plan(8, Schedule.SWISS, seed=seed), []) for seed in range(5)}
    assert len(first) > 1


@pytest.mark.parametrize(
    ("players", "seats", "tables"),
    [(8, 2, [4, 2, 1]), (6, 2, [2, 2, 1]), (5, 2, [1, 2, 1]), (9, 3, [3, 1]), (5, 3, [1, 1])],
)
def test_knock_out(players: int, seats: int, tables: list[int]) -> None:
    past = through(plan(players, Schedule.KNOCKOUT, seats=seats, games=seats))
    assert [len(round_.tables) for round_, _ in past] == tables
    assert 0 in past[-1][0].tables[0]
    what = plan(players, Schedule.KNOCKOUT, seats=seats, games=seats)
    assert champion(what, past) == 0
    assert champion(what, past[:-1]) is None
    if seats == 2:  # the two named first meet in the end
        assert sorted(past[-1][0].tables[0]) == [0, 1]
    out = {player for round_, _ in past for table in round_.tables for player in sorted(table)[1:]}
    assert out == set(range(1, players))


def test_a_tie_is_played_on_and_then_the_first_named_goes_through() -> None:
    past = through(plan(2, Schedule.KNOCKOUT, games=6), level)
    assert [round_.sets for round_, _ in past] == [3] + [1] * TIE_BREAKS

    def upset(table: Table) -> tuple[float, ...]:
        return level(table) if set(table) != {0, 3} else ((1.0, 0.0) if table[0] == 3 else (0.0, 1.0))

    past = through(plan(4, Schedule.KNOCKOUT), upset)
    assert len(past) == 2 * (1 + TIE_BREAKS)
    assert all(round_.tables == ((1, 2),) for round_, _ in past[1:4])
    assert sorted(past[-1][0].tables[0]) == [1, 3]


def test_who_voids_its_games_does_not_go_through() -> None:
    what = plan(2, Schedule.KNOCKOUT)
    first = next_round(what, [])
    assert first is not None
    assert next_round(what, [(first, [Tally((0, 1), (0.0, 0.0), 0, (2, 0))])]) is None
    third = plan(3, Schedule.KNOCKOUT)
    first = next_round(third, [])
    assert first is not None
    assert (first.tables, first.byes) == (((1, 2),), (0,))
    final = next_round(third, [(first, [Tally((1, 2), (0.0, 0.0), 0, (2, 0))])])
    assert final is not None
    assert final.tables == ((0, 2),)


def test_what_cannot_be_played_is_refused() -> None:
    with pytest.raises(UsageError, match="3 seats and 2 players"):
        plan(2, Schedule.ROUND_ROBIN, seats=3)
    with pytest.raises(UsageError, match="Name 5 or 7"):
        plan(6, Schedule.KNOCKOUT, seats=3)
    with pytest.raises(UsageError, match="Only a Swiss"):
        plan(6, Schedule.KNOCKOUT, rounds=3)
