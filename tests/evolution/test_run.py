import json
import os
import time
from collections.abc import Callable
from hashlib import blake2b
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest
from lived import alive, episode, events, kill_during, start
from palaestra.envs.errors import RunError
from palaestra.evolution.durable import discard
from palaestra.evolution.experience import digest_of
from palaestra.evolution.provenance import commit
from palaestra.evolution.run import Run

CONFIG = {"recipe": "grpo", "seed": 3, "settings": {"update.learning_rate": 1e-3}}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "run"


def saying(text: str) -> Callable[[Path], None]:
    return lambda directory: (directory / "weights").write_text(text) and None


def test_says_what_it_is(place: Path) -> None:
    with Run.create(place, CONFIG) as run:
        assert run.config == CONFIG
        assert not run.finished
        assert run.result is None
        run.finish({"after": 0.9, "worst": float("nan")})
    with Run.open(place) as run:
        assert run.config == CONFIG
        assert run.result == {"after": 0.9, "worst": None}
    about = json.loads((place / "run.json").read_text())
    assert about["format"] == 1
    assert about["packages"]["numpy"] == np.__version__
    assert {"python", "torch", "transformers", "trl", "gymnasium", "pettingzoo", "palaestra"} <= set(about["packages"])
    assert about["machine"]["cores"] == os.cpu_count()
    assert about["commit"] == commit()


def test_a_run_begins_in_a_place_of_its_own(place: Path) -> None:
    Run.create(place, CONFIG).close()
    with pytest.raises(RunError, match="not empty"):
        Run.create(place, CONFIG)
    with pytest.raises(TypeError):
        Run.create(place.with_name("other"), {"path": place})
    assert not place.with_name("other").exists()
    (place.parent / "file").write_text("")
    with pytest.raises(RunError, match="No run can be made"):
        Run.create(place.parent / "file", CONFIG)


def test_default_directories_are_free(tmp_path: Path) -> None:
    names = []
    for _ in range(3):
        names.append(Run.default_directory("grpo", 7, tmp_path))
        names[-1].mkdir()
    assert len(set(names)) == 3
    assert all(name.name.startswith("grpo-") and "-s7" in name.name for name in names)


def test_what_cannot_be_opened_says_what_to_do(place: Path) -> None:
    with pytest.raises(RunError, match="no directory"):
        Run.open(place)
    place.mkdir()
    with pytest.raises(RunError, match=r"not a run: it has no run\.json"):
        Run.open(place)
    for content, message in [
        ('{"format": 1, "con', "damaged"),
        ("[]", "damaged"),
        ('{"format": 1}', "damaged"),
        ('{"format": 2, "config": {}}', "Upgrade"),
    ]:
        (place / "run.json").write_text(content)
        with pytest.raises(RunError, match=message):
            Run.open(place)


def test_checkpoints(place: Path) -> None:
    with Run.create(place, CONFIG) as run:
        assert run.latest_checkpoint() is None
        for step in (0, 5, 10, 15):
            run.commit_checkpoint(step, saying(f"weights {step}"), pinned=step == 0)
        assert sorted(path.name for path in (place / "checkpoints").iterdir()) == [
            "step-000000", "step-000010", "step-000015",
        ]  # fmt: skip
        assert run.latest_checkpoint() == (15, run.checkpoint(15))
        assert (run.checkpoint(0) / "weights").read_text() == "weights 0"
        with pytest.raises(RunError, match=r"no checkpoint of step 5; it has those of \[0, 10, 15\]"):
            run.checkpoint(5)
        with pytest.raises(RunError, match="begin_from"):
            run.commit_checkpoint(15, saying("other"))


def test_half_a_checkpoint_is_none(place: Path) -> None:
    def fail(directory: Path) -> None:
        (directory / "weights").write_text("half")
        raise ValueError("disk full")

    with Run.create(place, CONFIG) as run:
        run.commit_checkpoint(0, saying("whole"))
        with pytest.raises(ValueError, match="disk full"):
            run.commit_checkpoint(5, fail)
        assert run.latest_checkpoint() == (0, run.checkpoint(0))
    torn = place / "checkpoints" / ".step-000005.tmp"
    torn.mkdir()
    with Run.open(place, read_only=True) as run:
        assert run.latest_checkpoint() == (0, run.checkpoint(0))
        assert torn.exists()  # another process may be writing it
    with Run.open(place):
        assert not torn.exists()


def test_a_checkpoint_is_gone_before_its_files_are(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place.mkdir()
    saying("old")(place)

    def die(path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("shutil.rmtree", die)
    with pytest.raises(KeyboardInterrupt):
        discard(place)
    assert not place.exists()


def test_begin_from_goes_back_to_the_checkpoint(place: Path) -> None:
    with Run.create(place, CONFIG) as run:
        for step in (0, 1, 2, 3):
            if step:
                run.log(step, "train", {"loss": float(step)})
                run.record_lineage(step, {"learned_from": [f"e{step}"]})
            run.commit_checkpoint(step, saying(str(step)), pinned=True)
            # Of step 0, but after its checkpoint: the replay says it again.
            run.log(step, "evaluate", {"accuracy": 0.5})
    with Run.open(place) as run:
        run.begin_from(1)
        assert [(row["step"], row["phase"]) for row in run.metrics.rows()] == [
            (0, "evaluate"), (1, "train"),
        ]  # fmt: skip
        assert run.lineage() == [{"step": 1, "learned_from": ["e1"]}]
        assert run.latest_checkpoint() == (1, run.checkpoint(1))
        run.begin_from(0)
        assert run.metrics.rows() == []
        assert run.lineage() == []
        with pytest.raises(RunError, match="no checkpoint of step 3"):
            run.begin_from(3)


def test_a_reader_changes_nothing(place: Path) -> None:
    with Run.create(place, CONFIG) as run, Run.open(place, read_only=True) as reader:
        run.log(1, "train", {"loss": 1.0})
        assert [row["loss"] for row in reader.metrics.rows()] == [1.0]
        for write in (
            lambda: reader.log(1, "train", {}),
            lambda: reader.record_lineage(1, {}),
            lambda: reader.commit_checkpoint(1, saying("")),
            lambda: reader.begin_from(1),
            lambda: reader.finish({}),
        ):
            with pytest.raises(RunError, match="opened to read"):
                write()


def hold(place: Path, ours: Connection) -> None:
    run = Run.open(place)
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    ours.send(child)
    time.sleep(60)
    run.close()


def test_one_process_works_at_a_time(place: Path) -> None:
    Run.create(place, CONFIG).close()
    process, ours = start(hold, place)
    child = ours.recv()
    try:
        with pytest.raises(RunError, match=f"in use by process {process.pid}. Wait"):
            Run.open(place)
        Run.open(place, read_only=True).close()
        process.kill()
        process.join()
        # A worker that it forked lives on, and must not keep the run.
        assert alive(child)
        with Run.open(place), pytest.raises(RunError, match=rf"in use by process {os.getpid()} \(this one\)"):
            Run.open(place)
        Run.open(place).close()
    finally:
        process.kill()
        os.kill(child, 9)


def turn_for_ever(place: Path, last: int, ours: Connection) -> None:
    """A loop in miniature: the weights are a hash of all that was learned from."""
    run = Run.open(place)
    latest = run.latest_checkpoint()
    step, weights = 0, ""
    if latest:
        step, path = latest
        weights = (path / "weights").read_text()
        run.begin_from(step)
    # Another draw in each process: an update made from anything but the committed episodes shows.
    generator = np.random.default_rng()
    ours.send("began")
    while step < last:
        step += 1
        shard = f"step-{step}"
        if shard not in run.experience:
            run.experience.write(shard, [episode(64 * step + n, generator) for n in range(64)], {"step": step})
        digest = digest_of(run.experience.read(shard))
        weights = blake2b((weights + digest).encode(), digest_size=16).hexdigest()
        run.record_lineage(step, {"shard": shard, "digest": digest, "weights": weights})
        run.log(step, "train", {"loss": 1.0 / step})
        if step % 3 == 0 or step == last:
            run.commit_checkpoint(step, saying(weights))
    run.finish({"weights": weights})
    run.close()
    ours.send("done")


def test_a_killed_run_ends_as_if_it_had_not_been(place: Path) -> None:
    Run.create(place, CONFIG).close()
    present: dict[str, str] = {}
    checkpoints = [0]
    for kills, delay in enumerate(np.random.default_rng(11).uniform(0.0, 0.4, 60)):
        if kills >= 12 and len(set(checkpoints)) >= 4:
            break
        kill_during(turn_for_ever, place, 10**6, after_seconds=float(delay))
        with Run.open(place, read_only=True) as run:
            now = {shard: run.experience.digest(shard) for shard in run.experience.shards()}
            latest = run.latest_checkpoint()
        assert now.items() >= present.items()
        assert (latest or (0,))[0] >= checkpoints[-1]
        present = now
        checkpoints.append((latest or (0,))[0])
    assert len(set(checkpoints)) >= 4, "the kills did not let the run get anywhere"

    last = len(present) + 2
    process, ours = start(turn_for_ever, place, last)
    process.join(60)
    assert ours.recv() == "began"
    assert ours.recv() == "done"

    with Run.open(place) as run:
        assert run.experience.shards() == [f"step-{n}" for n in range(1, last + 1)]
        run.experience.check_ids()
        digests = [digest_of(run.experience.read(shard)) for shard in run.experience.shards()]
        assert digests[: len(present)] == list(present.values())
        weights = ""
        for digest in digests:
            weights = blake2b((weights + digest).encode(), digest_size=16).hexdigest()
        assert run.result == {"weights": weights}
        assert [row["digest"] for row in run.lineage()] == digests
        assert [row["step"] for row in run.metrics.rows()] == list(range(1, last + 1))
        assert list(place.rglob(".*.tmp")) == []
    assert [step for step, _ in events(place, "train/loss")] == list(range(1, last + 1))
