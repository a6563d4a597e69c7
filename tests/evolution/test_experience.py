from collections.abc import Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lived import episode, kill_during
from palaestra.agents.episode import NO_IDS, Episode
from palaestra.agents.policy import FinishReason
from palaestra.envs.errors import ContractError, RunError, UsageError
from palaestra.envs.verdict import Status, Verdict
from palaestra.evolution.experience import ExperienceStore, digest_of
from palaestra.evolution.experience_schema import from_table, to_table


@pytest.fixture
def store(tmp_path: Path) -> ExperienceStore:
    return ExperienceStore(tmp_path / "experience")


def several(count: int = 16, seed: int = 0, first: int = 0) -> list[Episode]:
    generator = np.random.default_rng(seed)
    return [episode(first + n, generator, turns=n % 4) for n in range(count)]


def same(left: Sequence[Episode], right: Sequence[Episode]) -> bool:
    def times(episodes: Sequence[Episode]) -> list[Any]:
        return [(e.seconds, [(t.policy_seconds, t.env_seconds) for t in e.turns]) for e in episodes]

    return [e.digest() for e in left] == [e.digest() for e in right] and times(left) == times(right)


def with_turn(**changes: Any) -> Episode:
    whole = several(2)[1]
    return replace(whole, turns=(replace(whole.turns[0], **changes),))


def test_comes_back_as_it_was(store: ExperienceStore) -> None:
    written = several()
    assert {len(e.turns) for e in written} == {0, 1, 2, 3}
    path = store.write("step-1", written, {"step": 1, "reward": float("nan")})
    assert path == store.path("step-1")
    read = store.read("step-1")
    assert same(read, written)
    assert store.digest("step-1") == digest_of(written) == digest_of(read)
    assert store.lineage("step-1") == {"step": 1, "reward": None}
    assert read[1].turns[0].reply_ids.dtype == np.int32
    assert not read[1].turns[0].reply_ids.flags.writeable


HARD = [
    pytest.param({"reward": -0.0, "logprobs": np.array([-0.0, 0.0, -0.0], np.float32)}, id="negative zero"),
    pytest.param({"observation": "", "reply": "\0", "action": "π🦉\r\n\u2028"}, id="unicode"),
    pytest.param({"reply": "\ud800", "action": "a\udfffb\ufdd0c\ufdd0d800"}, id="lone surrogates"),
    pytest.param({"verdict": Verdict(0.5, Status.PARTIAL, "half \udc00")}, id="detail"),
    pytest.param({"reply_ids": np.zeros(0, np.int32), "logprobs": np.zeros(0, np.float32)}, id="no tokens"),
    pytest.param({"verdict": None, "finish": None, "versions": NO_IDS}, id="nothing given"),
    pytest.param({"finish": FinishReason.STOP_STRING}, id="stop string"),
    pytest.param({"finish": FinishReason.LENGTH, "reply_ids": np.array([2**31 - 1], np.int32)}, id="limits"),
]


@pytest.mark.parametrize("changes", HARD)
def test_comes_back_however_odd(store: ExperienceStore, changes: dict[str, Any]) -> None:
    written = [with_turn(**changes)]
    store.write("odd", written, {})
    assert same(store.read("odd"), written)


@given(st.lists(st.text(st.characters(exclude_categories=())), max_size=5))
@settings(max_examples=50, deadline=None)
def test_any_text_comes_back(texts: list[str]) -> None:
    written = [with_turn(observation=text, reply=text[::-1]) for text in texts]
    assert same(from_table(to_table(written)), written)


def test_every_status_comes_back(store: ExperienceStore) -> None:
    written = [replace(e, verdict=Verdict(0.0, status)) for e, status in zip(several(len(Status)), Status, strict=True)]
    store.write("statuses", written, {})
    assert [e.verdict.status for e in store.read("statuses")] == list(Status)


def test_nothing_is_something(store: ExperienceStore) -> None:
    store.write("empty", [], {})
    store.write("turnless", [replace(several(1)[0], turns=())], {})
    assert store.read("empty") == []
    assert store.read("turnless")[0].turns == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"logprobs": np.array([np.nan], np.float32)}, "logprobs must be finite, got nan"),
        ({"reward": float("inf")}, "reward must be finite, got inf"),
        ({"reward": np.float64(1.0)}, "reward must be float, got numpy.float64"),
        ({"continues": np.bool_(True)}, "continues must be bool, got numpy.bool"),
        ({"reply_ids": np.array([1, 2])}, r"reply_ids must be \[T\] int32, got 1-d int64"),
        ({"versions": np.zeros(3)}, r"Turn.versions must be \[T\] int32"),
        ({"finish": "stop"}, "finish must be FinishReason or NoneType, got builtins.str"),
    ],
)
def test_what_would_not_come_back_is_refused(store: ExperienceStore, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        store.write("bad", [with_turn(**changes)], {})
    assert "bad" not in store
    assert list(store.directory.iterdir()) == [] if store.directory.exists() else True


def test_a_judge_may_say_true(store: ExperienceStore) -> None:
    written = [
        with_turn(verdict=Verdict(True, Status.CORRECT)),
        replace(several(1)[0], verdict=Verdict(1, Status.CORRECT)),
    ]
    store.write("plain", written, {})
    assert same(store.read("plain"), written)


def test_a_shard_is_never_overwritten(store: ExperienceStore) -> None:
    written = several()
    path = store.write("step-1", written, {})
    before = path.stat()
    again = [replace(e, seconds=9.0) for e in written]
    assert store.write("step-1", again, {}) == path
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    with pytest.raises(RunError, match="never overwritten"):
        store.write("step-1", written[:-1], {})
    assert same(store.read("step-1"), written)


def test_an_episode_counts_once(store: ExperienceStore) -> None:
    written = several()
    with pytest.raises(ContractError, match="two episodes have the id 'e3'"):
        store.write("twice", [*written, written[3]], {})
    store.write("step-1", written, {})
    for later in (store, ExperienceStore(store.directory)):
        with pytest.raises(RunError, match="'e0' of shard 'step-2' is already in shard 'step-1'"):
            later.write("step-2", written[:1], {})
    store.check_ids()
    repeating = ExperienceStore(store.directory, distinct=False)
    repeating.write("step-2", written[:1], {})
    with pytest.raises(RunError, match="already in shard 'step-1'"):
        store.check_ids()


def test_shards_stand_in_order(store: ExperienceStore) -> None:
    assert store.shards() == []
    for number in (10, 2, 1):
        store.write(f"step-{number}", several(2, first=10 * number), {})
    assert store.shards() == ["step-1", "step-2", "step-10"]
    assert [e.id for e in store.episodes()] == ["e10", "e11", "e20", "e21", "e100", "e101"]
    assert "step-2" in store
    assert "step-3" not in store


@pytest.mark.parametrize("name", ["", ".hidden", "../escape", "a/b", "ä"])
def test_a_name_is_a_name(store: ExperienceStore, name: str) -> None:
    with pytest.raises(UsageError, match="name"):
        store.write(name, [], {})


def test_the_version_before_is_read(store: ExperienceStore) -> None:
    written = [one for one in several() if all(turn.finish is not FinishReason.STOP_STRING for turn in one.turns)]
    path = store.write("step-1", written, {})
    table = pq.read_table(path)
    about = dict(table.schema.metadata)
    assert about[b"palaestra.schema_version"] == b"3"
    pq.write_table(table.replace_schema_metadata(about | {b"palaestra.schema_version": b"2"}), store.path("step-2"))
    assert same(store.read("step-2"), written)
    pq.write_table(table.replace_schema_metadata(about | {b"palaestra.schema_version": b"1"}), store.path("older"))
    with pytest.raises(RunError, match="Read it with the Palaestra that wrote it"):
        store.read("older")


def test_half_a_shard_is_none(store: ExperienceStore) -> None:
    store.write("step-1", several(), {})
    torn = store.directory / ".step-2.parquet.tmp"
    torn.write_bytes(store.path("step-1").read_bytes()[:100])
    again = ExperienceStore(store.directory)
    assert again.shards() == ["step-1"]
    again.sweep()
    assert not torn.exists()
    assert same(again.read("step-1"), several())


def test_what_cannot_be_read_says_why(store: ExperienceStore) -> None:
    whole = store.write("step-1", several(), {})
    with pytest.raises(RunError, match="no shard 'step-9'"):
        store.read("step-9")

    table = pq.read_table(whole)
    about = dict(table.schema.metadata)
    pq.write_table(table.replace_schema_metadata(about | {b"palaestra.schema_version": b"4"}), store.path("newer"))
    with pytest.raises(RunError, match=r"schema version 4 .* reads 2 to 3\. Upgrade"):
        store.read("newer")

    pq.write_table(table.replace_schema_metadata(), store.path("foreign"))
    with pytest.raises(RunError, match="not written by an experience store"):
        store.read("foreign")

    pq.write_table(table.slice(1).combine_chunks().replace_schema_metadata(about), store.path("fewer"))
    with pytest.raises(RunError, match="not the ones that were written"):
        store.read("fewer")

    content = bytearray(whole.read_bytes())
    store.path("cut").write_bytes(content[: len(content) // 2])
    content[len(content) // 3] ^= 0xFF
    store.path("flipped").write_bytes(content)
    for name in ("cut", "flipped"):
        with pytest.raises(RunError, match="is damaged"):
            store.read(name)


def test_opens_with_duckdb_and_pandas(store: ExperienceStore) -> None:
    import duckdb
    import pandas as pd

    written = several()
    path = store.write("step-1", written, {})
    rows = duckdb.sql(
        f"select id, verdict.status, len(turns), list_sum([t.reward for t in turns]), turns[1].reply_ids[2] "
        f"from read_parquet('{path}')"
    ).fetchall()
    assert [row[:3] for row in rows] == [(e.id, "correct", len(e.turns)) for e in written]
    assert [row[3] or 0.0 for row in rows] == pytest.approx([e.reward for e in written])
    assert [row[4] for row in rows] == [int(e.turns[0].reply_ids[1]) if e.turns else None for e in written]
    frame = pd.read_parquet(path)
    assert list(frame["id"]) == [e.id for e in written]
    assert list(frame["turns"][1][0]["reply_ids"]) == list(written[1].turns[0].reply_ids)


def test_opens_with_datasets(store: ExperienceStore, tmp_path: Path) -> None:
    import datasets

    written = several()
    paths = [
        str(store.write("step-1", written[:8], {})),
        # No turn of this one has a verdict: its columns must still have their types.
        str(
            store.write(
                "step-2", [replace(written[9], turns=(replace(written[9].turns[0], verdict=None, finish=None),))], {}
            )
        ),
        str(store.write("step-3", [written[8]], {})),
    ]
    loaded = datasets.load_dataset("parquet", data_files=paths, split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded["id"][:] == [e.id for e in [*written[:8], written[9], written[8]]]
    turn = loaded[1]["turns"][0]
    assert turn["reply_ids"] == written[1].turns[0].reply_ids.tolist()
    assert turn["logprobs"] == written[1].turns[0].logprobs.tolist()
    assert loaded[8]["turns"][0]["verdict"] is None or loaded[8]["turns"][0]["verdict"]["status"] is None


def write_for_ever(directory: Path, ours: Connection) -> None:
    store = ExperienceStore(directory)
    generator = np.random.default_rng()
    # Long replies, so that most kills come while a file is half written.
    replies = [generator.integers(0, 2**31, 4000, dtype=np.int32) for _ in range(50)]
    lived = [
        replace(e, turns=tuple(replace(t, reply_ids=r) for t in e.turns)) for e, r in zip(PLAIN, replies, strict=True)
    ]
    ours.send("began")
    while True:
        number = len(store.shards())
        store.write(f"step-{number}", [replace(e, id=f"e{50 * number + n}") for n, e in enumerate(lived)], {})


PLAIN = [episode(n, np.random.default_rng(n)) for n in range(50)]


def test_a_kill_leaves_whole_shards_only(store: ExperienceStore) -> None:
    digests: list[str] = []
    torn = 0
    for kills, delay in enumerate(np.random.default_rng(5).uniform(0.0, 0.12, 60)):
        if kills >= 10 and torn >= 3 and len(digests) >= 3:
            break
        kill_during(write_for_ever, store.directory, after_seconds=float(delay))
        torn += any(store.directory.glob(".*.tmp"))
        opened = ExperienceStore(store.directory)
        assert opened.shards() == [f"step-{n}" for n in range(len(opened.shards()))]
        now = [opened.digest(shard) for shard in opened.shards()]
        assert now[: len(digests)] == digests
        digests = now
    assert torn, "no kill came while a shard was being written"
    assert [e.id for e in opened.episodes()] == [f"e{n}" for n in range(50 * len(digests))]
    opened.check_ids()
    opened.sweep()
    assert len(list(store.directory.iterdir())) == len(digests)
