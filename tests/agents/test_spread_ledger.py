"""Whatever is lost, whenever: every assignment counts once or is given up once."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from palaestra.agents.episode import Episode
from palaestra.agents.rollout import Assignment
from palaestra.agents.spread.ledger import MOST_TRIES, Batch, Ledger
from palaestra.agents.spread.pulse import Pulse
from palaestra.envs.errors import ContractError
from palaestra.envs.task import Task
from palaestra.envs.verdict import Status, Verdict

TASK = Task("t", "say", 1)


def assignments(count: int) -> list[Assignment]:
    return [Assignment(f"e{i}", "world", TASK, i) for i in range(count)]


def played(batch: Batch) -> list[Episode]:
    right = Verdict(1.0, Status.CORRECT)
    return [Episode(a.id, a.env, "t", "f", "", 0, a.seed, "p", (), right) for _, a in batch.entries]


def positions(batch: Batch | None) -> list[int]:
    assert batch is not None
    return [entry.position for entry in batch.entries]


def test_batches_are_cut_in_order_and_one_is_in_each_pair_of_hands() -> None:
    ledger = Ledger(assignments(5), 2)
    assert [positions(ledger.hand(worker)) for worker in "abc"] == [[0, 1], [2, 3], [4]]
    assert ledger.hand("d") is None
    assert not ledger.done
    with pytest.raises(ContractError, match="holds batch 2 already"):
        ledger.hand("b")


def test_no_more_is_taken_than_is_handed_out() -> None:
    taken = []
    ledger = Ledger((taken.append(a.id) or a for a in assignments(9)), 3)
    ledger.hand("a")
    assert taken == ["e0", "e1", "e2"]


def test_what_a_lost_worker_held_is_replayed_first_as_it_was_then_alone() -> None:
    ledger = Ledger(assignments(4), 2)
    assert positions(ledger.hand("a")) == [0, 1]
    assert ledger.lose("a") == []
    assert positions(ledger.hand("b")) == [0, 1]
    assert ledger.lose("b") == []
    assert [positions(ledger.hand(worker)) for worker in "cde"] == [[0], [1], [2, 3]]
    assert [entry.position for entry in ledger.lose("d")] == [1]
    assert ledger.lose("d") == []


def test_what_comes_late_from_a_worker_taken_for_lost_does_not_count() -> None:
    ledger = Ledger(assignments(1), 1)
    late = ledger.hand("a")
    assert late is not None
    ledger.lose("a")
    again = ledger.hand("b")
    assert again is not None
    assert ledger.accept("a", late.number, played(late)) == []
    assert [position for position, _ in ledger.accept("b", again.number, played(again))] == [0]
    assert ledger.accept("b", again.number, played(again)) == []
    assert ledger.hand("b") is None
    assert ledger.done


def test_other_episodes_than_those_that_were_handed_out_are_refused() -> None:
    ledger = Ledger(assignments(4), 2)
    first, second = ledger.hand("a"), ledger.hand("b")
    assert first is not None
    assert second is not None
    for wrong in (played(second), played(first)[:1], played(first)[::-1]):
        with pytest.raises(ContractError, match="was to play"):
            ledger.accept("a", first.number, wrong)


@settings(max_examples=300, deadline=None)
@given(count=st.integers(0, 30), size=st.integers(1, 7), data=st.data())
def test_everything_counts_once_or_is_given_up_after_as_many_losses(count: int, size: int, data: st.DataObject) -> None:
    ledger, held = Ledger(assignments(count), size), dict[str, Batch]()
    stale: list[tuple[str, Batch]] = []
    accepted, given_up, losses = Counter[int](), Counter[int](), Counter[int]()
    names = iter(range(10_000))
    while True:
        while len(held) < 3 and (batch := ledger.hand(name := f"w{next(names)}")) is not None:
            assert len(batch.entries) <= size
            held[name] = batch
        if not held:
            break
        name = data.draw(st.sampled_from(sorted(held)))
        what = data.draw(st.sampled_from(["end", "lose", "late"]))
        batch = held[name]
        if what == "late" and stale:
            assert ledger.accept(*_late(stale[-1])) == []
        elif what == "end":
            del held[name]
            accepted.update(position for position, _ in ledger.accept(name, batch.number, played(batch)))
            stale.append((name, batch))
        elif what == "lose":
            del held[name]
            losses.update(positions(batch))
            given_up.update(entry.position for entry in ledger.lose(name))
            stale.append((name, batch))
    assert ledger.done
    assert accepted + given_up == Counter(range(count))
    assert all(losses[position] == MOST_TRIES for position in given_up)
    assert all(losses[position] < MOST_TRIES for position in accepted)


def _late(stale: tuple[str, Batch]) -> tuple[str, int, list[Episode]]:
    name, batch = stale
    return name, batch.number, played(batch)


def test_silence_is_counted_from_the_last_sign_of_life() -> None:
    pulse = Pulse()
    for _ in range(1000):  # it has no place yet
        pulse.look(1.0)
    assert pulse.silent == 0
    pulse.answer(0.5)
    for look in range(1, 121):
        pulse.look(1.0)
        if look % 20 == 0:
            pulse.answer(0.5)  # it answers and does not move on
    assert (pulse.silent, pulse.lost) == (120.0, False)
    pulse.look(0.5)
    assert pulse.lost
    pulse.answer(0.6)
    assert not pulse.lost
    pulse.look(70.0)
    pulse.begin()
    pulse.look(70.0)
    assert not pulse.lost
    pulse.look(70.0)
    assert pulse.lost
    pulse.answer(None)  # it has ended what it did, or cannot tell
    pulse.look(100.0)
    pulse.answer(None)
    assert pulse.silent == 0
