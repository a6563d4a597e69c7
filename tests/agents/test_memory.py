"""External memory: what is found, what is evicted, what survives, and who can read it meanwhile."""

import json
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from palaestra.agents.memory.budgets import Budgets, rough_tokens
from palaestra.agents.memory.entry import Entry, Kind, Provenance
from palaestra.agents.memory.exchange import export_entries, import_entries
from palaestra.agents.memory.memory import Memory
from palaestra.envs.errors import BadRowError, ContractError, UnknownNameError, UsageError

ORIGIN = Provenance("runs/a", 3, "s3/r0/g1/a0", "local:x")


def texts(entries):
    return [entry.text for entry in entries]


class Letters:
    """An encoder that needs no download: how often each letter comes."""

    def __init__(self):
        self.asked = []

    def encode(self, sentences):
        self.asked += sentences
        return [[text.lower().count(chr(code)) + 1e-3 for code in range(97, 123)] for text in sentences]


def test_what_shares_rare_words_is_found_first():
    memory = Memory()
    for text in ("the door is locked", "the red key opens the door", "apples are red"):
        memory.add(Kind.INSIGHT, text)
    memory.add(Kind.SKILL, "a red key of another kind")
    assert texts(memory.search("A red key!", Kind.INSIGHT, 5)) == ["the red key opens the door", "apples are red"]
    assert texts(memory.search("KEY", Kind.INSIGHT, 5)) == ["the red key opens the door"]
    assert memory.search("nothing shared", Kind.INSIGHT, 5) == []
    assert memory.search('"*(): ^', Kind.INSIGHT, 5) == []
    assert memory.search("key", Kind.INSIGHT, 0) == []


def test_the_key_is_searched_too_and_ties_stay_in_order():
    memory = Memory()
    for number in range(5):
        memory.add(Kind.EPISODE, f"reply {number}", key="same task")
    assert texts(memory.search("task", Kind.EPISODE, 3)) == ["reply 0", "reply 1", "reply 2"]
    memory.vote(5)
    assert texts(memory.search("task", Kind.EPISODE, 3)) == ["reply 4", "reply 0", "reply 1"]


def test_meaning_is_the_cosine_of_vectors_each_made_once():
    encoder = Letters()
    memory = Memory(encoder=encoder)
    for text in ("aaa", "bbb", "ab"):
        memory.add(Kind.INSIGHT, text)
    assert texts(memory.search("aab", Kind.INSIGHT, 3, by="meaning")) == ["ab", "aaa", "bbb"]
    assert texts(memory.search("b", Kind.INSIGHT, 1, by="meaning")) == ["bbb"]
    assert sorted(encoder.asked)[1:] == ["aaa\n", "aab", "ab\n", "b", "bbb\n"], "and once how it is told from others"
    memory.edit(1, "b b")
    assert texts(memory.search("a", Kind.INSIGHT, 1, by="meaning")) == ["ab"], "an edited entry has another vector"


def test_no_encoder_reads_the_vectors_of_another(tmp_path):
    class Last(Letters):
        def encode(self, sentences):
            return [[float(text.strip().endswith(letter)) + 1e-3 for letter in "ab"] for text in sentences]

    Last.__name__ = "Letters"
    for encoder, found in ((Letters(), "aab"), (Last(), "bba"), (Letters(), "aab")):
        with Memory(tmp_path / "m.sqlite", encoder=encoder) as memory:
            memory.add(Kind.INSIGHT, "aab"), memory.add(Kind.INSIGHT, "bba")
            assert texts(memory.search("aaaa", Kind.INSIGHT, 1, by="meaning")) == [found]


def test_what_is_no_encoder_is_said():
    with pytest.raises(UsageError, match="no encoder"):
        Memory().search("a", Kind.INSIGHT, 1, by="meaning")
    with pytest.raises(UnknownNameError):
        Memory().search("a", Kind.INSIGHT, 1, by="luck")

    class Flat:
        def encode(self, sentences):
            return np.zeros(3)

    memory = Memory(encoder=Flat())
    memory.add(Kind.INSIGHT, "a")
    with pytest.raises(ContractError):
        memory.search("a", Kind.INSIGHT, 1, by="meaning")


def test_the_fewest_votes_go_first_then_the_oldest_and_the_newcomer_last():
    memory = Memory(budgets=Budgets(insight=3), count=lambda text: 1)
    for text, votes in (("one", 2), ("two", 1), ("three", 1)):
        memory.add(Kind.INSIGHT, text, votes=votes)
    added = memory.add(Kind.INSIGHT, "four")
    assert texts(added.evicted) == ["two"]
    assert texts(memory.entries()) == ["one", "three", "four"]
    assert texts(memory.add(Kind.INSIGHT, "five").evicted) == ["three"]
    assert texts(memory.entries(Kind.INSIGHT)) == ["one", "four", "five"]
    assert memory.add(Kind.SKILL, "not limited").evicted == ()


def test_what_is_longer_than_the_budget_is_not_taken():
    memory = Memory(budgets=Budgets(insight=5))
    assert memory.add(Kind.INSIGHT, "x" * 21).entry is None
    assert memory.add(Kind.INSIGHT, "x" * 20).entry is not None
    assert (len(memory), rough_tokens("x" * 21), rough_tokens("")) == (1, 6, 0)


def test_equal_texts_are_one_entry_with_the_votes_of_both():
    memory = Memory()
    first = memory.add(Kind.INSIGHT, "a", votes=2)
    again = memory.add(Kind.INSIGHT, "a", votes=3, provenance=ORIGIN)
    assert (first.new, again.new, len(memory), again.entry.votes) == (True, False, 1, 5)
    assert again.entry.provenance == Provenance()


def test_votes_end_an_entry_and_edits_meet():
    memory = Memory()
    for text in ("a", "b"):
        memory.add(Kind.INSIGHT, text, votes=2)
    assert memory.vote(1, -1).votes == 1
    assert memory.vote(1, -1) is None
    assert texts(memory.entries()) == ["b"]
    memory.add(Kind.INSIGHT, "c")
    assert memory.edit(3, "b", votes=1).votes == 4
    assert texts(memory.entries()) == ["b"]
    edited = memory.edit(2, "d", ORIGIN)
    assert (edited.text, edited.provenance) == ("d", ORIGIN)
    assert texts(memory.search("d", Kind.INSIGHT, 1)) == ["d"]
    assert memory.search("b", Kind.INSIGHT, 1) == []
    for wrong in (lambda: memory.vote(9), lambda: memory.edit(9, "x"), lambda: memory.edit(2, " ")):
        with pytest.raises(UsageError):
            wrong()
    with pytest.raises(UsageError):
        memory.add(Kind.INSIGHT, "  ")
    assert memory.add(Kind.INSIGHT, "half \ud800 of it").entry.text == "half ? of it"


def test_where_it_came_from_and_everything_else_survives_the_file(tmp_path):
    with Memory(tmp_path / "m.sqlite") as memory:
        memory.add(Kind.SKILL, "def f(): ...", key="f", votes=4, provenance=ORIGIN, data={"runs": [1, 2]})
        digest = memory.digest
    with Memory(tmp_path / "m.sqlite") as again:
        (entry,) = again.entries()
        assert entry == Entry(Kind.SKILL, "def f(): ...", "f", 4, 3, ORIGIN, {"runs": [1, 2]}, 1)
        assert again.digest == digest
    assert [path.name for path in tmp_path.iterdir()] == ["m.sqlite"]


def test_jsonl_goes_out_and_comes_back(tmp_path):
    memory = Memory()
    for number in range(20):
        memory.add(Kind.INSIGHT, f"note {number} ✓\nline", key=str(number), votes=number + 1, provenance=ORIGIN)
    assert export_entries(memory, tmp_path / "m.jsonl") == 20
    other = Memory()
    assert import_entries(other, tmp_path / "m.jsonl") == 20
    assert other.digest == memory.digest
    assert import_entries(other, tmp_path / "m.jsonl") == 0
    assert other.entries()[0].votes == 2
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "m.jsonl")
    memory.add(Kind.INSIGHT, "one more")
    assert export_entries(memory, tmp_path / "link.jsonl") == 21
    assert (tmp_path / "link.jsonl").is_symlink()
    assert import_entries(other, tmp_path / "m.jsonl") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.jsonl", "m.jsonl"]


@pytest.mark.parametrize("sign", ["\u2028", "\u2029", "\x85", "\x0b", "\x1c", "\r", "\ud800"])
def test_texts_with_signs_that_end_a_line_come_back(tmp_path, sign):
    memory, other = Memory(), Memory()
    memory.add(Kind.INSIGHT, f"one{sign}two")
    export_entries(memory, tmp_path / "m.jsonl")
    assert import_entries(other, tmp_path / "m.jsonl") == 1
    assert other.digest == memory.digest


def test_what_no_file_can_hold_is_mended_on_the_way_in_too(tmp_path):
    (tmp_path / "m.jsonl").write_text(json.dumps({"kind": "insight", "text": "half \ud800 of it"}) + "\n")
    memory = Memory()
    import_entries(memory, tmp_path / "m.jsonl")
    assert texts(memory.entries()) == ["half ? of it"]


WRONG = (
    *('{"kind": "insight"}', '{"kind": "dream", "text": "a"}', "[1]", "{", '"a"', '{"kind": "insight", "text": " "}'),
    *('{"kind": "skill", "text": "a", "data": 5}', '{"kind": "skill", "text": "a", "votes": 0}'),
    *('{"kind": "skill", "text": "a", "provenance": {"step": "x"}}',),
)


@pytest.mark.parametrize("line", WRONG)
def test_a_line_that_is_no_entry_is_named_and_nothing_is_taken(tmp_path, line):
    good = json.dumps({"kind": "insight", "text": "a"})
    (tmp_path / "m.jsonl").write_text(f"{good}\n{line}\n")
    memory = Memory()
    with pytest.raises(BadRowError, match="line 2"):
        import_entries(memory, tmp_path / "m.jsonl")
    assert len(memory) == 0


def test_changes_that_fail_leave_nothing():
    memory = Memory()
    memory.add(Kind.INSIGHT, "a")
    before = memory.digest
    with pytest.raises(TypeError):
        memory.take([Entry(Kind.INSIGHT, "b"), replace(Entry(Kind.INSIGHT, "c"), data=5)])
    assert memory.digest == before


def test_a_copy_a_saved_file_and_a_pickle_are_the_same_and_apart(tmp_path):
    memory = Memory(budgets=Budgets(insight=100))
    memory.add(Kind.INSIGHT, "a b c", provenance=ORIGIN)
    memory.save(tmp_path / "m.sqlite")
    twins = [memory.copy(), Memory.load(tmp_path / "m.sqlite"), pickle.loads(pickle.dumps(memory))]
    assert {twin.digest for twin in twins} == {memory.digest}
    for twin in twins:
        twin.add(Kind.INSIGHT, "d")
        assert texts(twin.search("b d", Kind.INSIGHT, 2)) == ["a b c", "d"] or len(twin) == 2
    assert len(memory) == len(Memory.load(tmp_path / "m.sqlite")) == 1
    assert twins[2].budgets == memory.budgets
    with pytest.raises(UsageError):
        memory.save(tmp_path / "m.sqlite")


def test_what_is_no_memory_is_refused(tmp_path):
    (tmp_path / "text").write_text("no database at all, but longer than nothing" * 30)
    other = sqlite3.connect(tmp_path / "other")
    other.execute("CREATE TABLE a (b)")
    other.close()
    newer = sqlite3.connect(tmp_path / "newer")
    newer.execute("PRAGMA user_version = 99")
    newer.execute("CREATE TABLE a (b)")
    newer.close()
    for name in ("text", "other", "newer"):
        with pytest.raises(UsageError):
            Memory(tmp_path / name)
    with pytest.raises(UsageError, match="no memory"):
        Memory(tmp_path / "absent", read_only=True)
    with Memory(tmp_path / "m") as memory:
        memory.add(Kind.INSIGHT, "a")
    with Memory(tmp_path / "m", read_only=True) as reader, pytest.raises(UsageError, match="opened to read"):
        reader.add(Kind.INSIGHT, "b")


WRITER = """
import sys
from palaestra.agents.memory.entry import Kind
from palaestra.agents.memory.memory import Memory
memory = Memory(sys.argv[1])
number = len(memory)
while True:
    # Two entries at a time: a reader must never see one without the other.
    with memory._change():
        memory.add(Kind.INSIGHT, f"left {number}")
        memory.add(Kind.INSIGHT, f"right {number}")
    number += 1
    print(number, flush=True)
""".replace("Memory(sys.argv[1])", "Memory(__import__('pathlib').Path(sys.argv[1]))")


def test_a_writer_killed_at_any_moment_leaves_whole_changes_that_others_read_meanwhile(tmp_path):
    path, told = tmp_path / "m.sqlite", 0
    for life in range(3):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        try:
            first = process.stdout.readline()
            assert first, "the writer did not begin"
            until = time.monotonic() + 0.1 + 0.07 * life
            while time.monotonic() < until:
                with Memory(path, read_only=True) as reader:
                    assert len(reader) % 2 == 0
        finally:
            os.kill(process.pid, signal.SIGKILL)
            rest = process.stdout.read()
            process.wait()
        told = int((first + rest).split()[-1])
        with Memory(path) as memory:
            entries = texts(memory.entries())
            assert len(entries) % 2 == 0
            assert len(entries) >= 2 * (len(entries) // 2)
            assert {text.split()[1] for text in entries if text.startswith("left")} == {
                text.split()[1] for text in entries if text.startswith("right")
            }
            assert len(memory.search("left", Kind.INSIGHT, 10**6)) == len(entries) // 2
    assert told > 3
