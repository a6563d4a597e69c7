"""Playing while learning: real runs with a tiny policy in a world whose steps take a while."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from palaestra.agents.alphabet import build_tokenizer
from palaestra.agents.rollout import Rollout
from palaestra.agents.twin import Twin
from palaestra.envs.errors import InfrastructureError, UsageError
from palaestra.evolution.acquisition.groups import SampleGroups
from palaestra.evolution.evolve import Interrupted, evolve, resume
from palaestra.evolution.objective import Objective
from palaestra.evolution.pace import lags, refuse_stale
from palaestra.evolution.recipes import find_recipe
from palaestra.evolution.result import Result
from palaestra.evolution.run import Run
from palaestra.evolution.view import Silent, StepRecord
from transformers import LlamaConfig, LlamaForCausalLM

ENV = "late_worlds:late/Say-v0"
GROUPS, ATTEMPTS = 4, 4


@pytest.fixture(scope="module")
def newborn(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("newborn")
    tokenizer = build_tokenizer(256)
    sizes = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    ids = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=256, **sizes, **ids))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return f"local:{folder}"


def settings(**changes: object) -> dict[str, object]:
    return {
        "steps": 12,
        "evaluate_every": 100,
        "checkpoint_every": 4,
        "acquire.groups": GROUPS,
        "acquire.attempts": ATTEMPTS,
        "acquire.sampling.max_tokens": 3,
        "evaluate.tasks": 4,
        "evaluate.sampling.max_tokens": 3,
        **{name.replace("__", "."): value for name, value in changes.items()},
    }


def run(place: Path, policy: str, staleness: int, env: str = ENV, view: object = None, **changes: object) -> Result:
    recipe, objective = find_recipe("grpo", settings(**changes)), Objective("say", (env,))
    return evolve(
        recipe,
        objective=objective,
        policy=policy,
        seed=3,
        directory=place,
        view=view or Silent(),  # type: ignore[arg-type]
        settings=settings(**changes),
        staleness=staleness,
    )


def learned(place: Path) -> dict[int, list[int]]:
    """By step, by how many versions each token that was learned from was behind."""
    lived, found = Run.open(place, read_only=True), {}
    for row in lived.lineage():
        episodes = [e for e in lived.experience.read(row["experience"]) if e.id in set(row["learned_from"])]
        found[row["step"]] = lags(episodes, row["version_before"]).tolist()
    return found


@pytest.mark.parametrize(("staleness", "partial"), [(1, "keep"), (3, "keep"), (3, "drop")])
def test_nothing_is_learned_from_that_is_older_than_the_bound(
    tmp_path: Path, newborn: str, staleness: int, partial: str
) -> None:
    result = run(tmp_path / "run", newborn, staleness, f"{ENV}?seconds=0.01", acquire__partial=partial)
    behind = learned(tmp_path / "run")
    everything = [lag for of_step in behind.values() for lag in of_step]
    assert set(everything) <= set(range(staleness + 1))
    assert max(everything) > 0, "it never played ahead"
    assert set(behind[1]) == {0}
    lived = Run.open(tmp_path / "run", read_only=True)
    episodes = list(lived.experience.episodes())
    mixed = [e for e in episodes if len({int(v) for turn in e.turns for v in turn.versions}) > 1]
    assert (len(mixed) > 0) == (partial == "keep"), "episodes across an update"
    # Groups are whole and of one task, and none comes twice.
    sizes = Counter(e.group for e in episodes)
    assert set(sizes.values()) == {ATTEMPTS}
    assert len({(e.group, e.task) for e in episodes}) == len(sizes)
    assert result.episodes == len(episodes) == len({e.id for e in episodes})
    figures = [row for row in lived.metrics.rows() if row["phase"] == "train"]
    for row in figures:
        shares = [row[f"lag/{lag}"] for lag in range(staleness + 1)]
        assert sum(shares) == pytest.approx(1.0)
        assert row["lag/mean"] == pytest.approx(np.mean(behind[row["step"]]))
        assert row["lag/max"] == max(behind[row["step"]])
        assert all(0 <= row[f"share_of_seconds/{k}"] <= 1 for k in ("sampling", "judging", "learning", "waiting"))
        assert 0 <= row["queue"] <= (staleness + 1) * GROUPS * 3


def test_the_tasks_are_those_of_a_synchronous_run(tmp_path: Path, newborn: str) -> None:
    for staleness in (0, 2):
        run(tmp_path / f"{staleness}", newborn, staleness, f"{ENV}?seconds=0.005", acquire__rounds=1, steps=6)
    tasks = []
    for staleness in (0, 2):
        lived = Run.open(tmp_path / f"{staleness}", read_only=True)
        tasks.append({(e.id, e.task, e.seed) for e in lived.experience.episodes()})
    shards = Run.open(tmp_path / "2", read_only=True).experience
    dropped = [number for shard in shards.shards() for number in shards.lineage(shard)["dropped"]]
    taken = [number for shard in shards.shards() for number in shards.lineage(shard)["groups"]]
    assert not set(taken) & set(dropped)
    # The first tasks of the stream but for what was dropped or still being played, and perhaps a few after them.
    first = {e for e in tasks[1] if int(e[0].split("/")[0][1:]) <= 6}
    assert first <= tasks[0]
    assert len(tasks[0] - first) <= ATTEMPTS * (len(dropped) + 3 * GROUPS)
    names = {f"s{n // GROUPS + 1}/r0/g{n % GROUPS}/a{a}" for n in taken for a in range(ATTEMPTS)}
    assert {e[0] for e in tasks[1]} == names


def test_it_learns_with_a_staleness_of_two(tmp_path: Path, newborn: str) -> None:
    watched = Watched()
    run(
        tmp_path / "run",
        newborn,
        2,
        f"{ENV}?seconds=0.001",
        view=watched,
        steps=40,
        acquire__groups=8,
        acquire__attempts=8,
        update__learning_rate=5e-3,
        update__correction="truncate",
    )
    rewards = [record.reward for record in watched.steps]
    assert np.mean(rewards[:5]) < 0.45
    assert np.mean(rewards[-5:]) > 0.8


class Watched(Silent):
    """Keeps the records of steps, and may do something after one."""

    def __init__(self, after: object = None) -> None:
        self.steps: list[StepRecord] = []
        self.after = after

    def stepped(self, record: StepRecord) -> None:
        self.steps.append(record)
        if callable(self.after):
            self.after(record)


def test_while_nobody_learns_no_more_is_played_than_may_be_learned_from(
    tmp_path: Path, newborn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    sample = Twin.sample
    monkeypatch.setattr(Twin, "sample", lambda twin, requests: (asked.append(len(requests)), sample(twin, requests))[1])
    seen: list[int] = []

    def dawdle(record: StepRecord) -> None:
        if record.step == 2:
            time.sleep(0.5)
            seen.append(sum(asked))
            time.sleep(0.5)
            seen.append(sum(asked))

    run(tmp_path / "run", newborn, 2, steps=3, acquire__rounds=1, view=Watched(dawdle))
    assert seen[0] == seen[1], "it played on with nobody to learn from it"
    # Two steps have learned, and what two more need is ready; two requests an episode.
    assert seen[0] == (2 + 2) * GROUPS * ATTEMPTS * 2


def test_a_world_that_never_answers_costs_its_own_episodes_only(
    tmp_path: Path, newborn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(Rollout.__init__.__kwdefaults__, "step_seconds", 0.1)
    # So many that the steps, which go on without them, must wait for some.
    result = run(tmp_path / "run", newborn, 4, f"{ENV}?stuck=0.5", steps=4)
    lived = Run.open(tmp_path / "run", read_only=True)
    stuck = [e for e in lived.experience.episodes() if not e.valid]
    assert 0 < len(stuck) == result.invalid < result.episodes
    assert all("StuckError" in e.verdict.detail and e.id in e.verdict.detail for e in stuck)
    assert {e.id for e in stuck}.isdisjoint(name for row in lived.lineage() for name in row["learned_from"])


def test_a_world_without_a_single_valid_episode_stops_the_run(tmp_path: Path, newborn: str) -> None:
    with pytest.raises(InfrastructureError, match="ConnectionError: nobody is there"):
        run(tmp_path / "run", newborn, 2, f"{ENV}?broken=true")


def test_a_thread_that_fails_stops_the_run_with_its_error(
    tmp_path: Path, newborn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0
    sample = Twin.sample

    def failing(twin: Twin, requests: list[object]) -> object:
        nonlocal calls
        calls += 1
        if calls > 20:
            raise ZeroDivisionError("a defect of the engine")
        return sample(twin, requests)  # type: ignore[arg-type]

    monkeypatch.setattr(Twin, "sample", failing)
    with pytest.raises(ZeroDivisionError, match="a defect of the engine"):
        run(tmp_path / "run", newborn, 2, f"{ENV}?seconds=0.01")
    monkeypatch.undo()
    assert resume(tmp_path / "run", view=Silent()).steps == 12


def test_an_interrupted_run_goes_on_and_plays_nothing_twice(tmp_path: Path, newborn: str) -> None:
    def stop(record: StepRecord) -> None:
        if record.step == 7:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        run(tmp_path / "run", newborn, 2, f"{ENV}?seconds=0.01", view=Watched(stop))
    again = Watched()
    result = resume(tmp_path / "run", view=again)
    lived = Run.open(tmp_path / "run", read_only=True)
    lived.experience.check_ids()
    assert [record.step for record in again.steps] == [5, 6, 7, 8, 9, 10, 11, 12], "from the checkpoint of step 4"
    assert result.episodes == sum(1 for _ in lived.experience.episodes())
    train = [row for row in lived.metrics.rows() if row["phase"] == "train"]
    assert [row["step"] for row in train] == list(range(1, 13))
    assert sum(row["used"] for row in train) == result.used
    assert max(lag for of_step in learned(tmp_path / "run").values() for lag in of_step) <= 2


def test_what_cannot_be_played_ahead_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="SelfPlay"):
        evolve(
            find_recipe("spiral"),
            objective=Objective("poker", ("kuhn_poker",)),
            policy="local:none",
            seed=0,
            directory=tmp_path / "run",
            view=Silent(),
            staleness=1,
        )
    assert not (tmp_path / "run").exists()
    with pytest.raises(UsageError, match="partial"):
        find_recipe("grpo", {"acquire.partial": "sometimes"})
    assert SampleGroups().partial == "keep"


def command(newborn: str, place: Path, steps: int, seconds: float) -> list[str]:
    options = settings(steps=steps, checkpoint_every=3)
    chosen = [word for key, value in options.items() for word in ("--set", f"{key}={value}")]
    palaestra = [sys.executable, "-c", "from palaestra.evolution.cli import main; main()"]
    env = f"{ENV}?seconds={seconds}"
    return [*palaestra, "evolve", "--staleness", "2", "--policy", newborn, "--env", env, "--run", str(place), *chosen]


def start(arguments: list[str], log: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parent)}
    with log.open("ab") as out:
        return subprocess.Popen(arguments, stdout=out, stderr=out, env=environment)


def wait_for(process: subprocess.Popen[bytes], place: Path, shards: int) -> None:
    while process.poll() is None and len(list((place / "experience").glob("step-*.parquet"))) < shards:
        time.sleep(0.01)


@pytest.mark.slow
def test_ctrl_c_ends_the_process_soon_and_leaves_a_run_that_goes_on(tmp_path: Path, newborn: str) -> None:
    place, log = tmp_path / "run", tmp_path / "log"
    process = start(command(newborn, place, 1000, 0.05), log)
    wait_for(process, place, 4)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130, log.read_text()[-3000:]
    assert "Continue with" in log.read_text()


@pytest.mark.slow
def test_a_run_killed_again_and_again_counts_everything_once(tmp_path: Path, newborn: str) -> None:
    place, log, generator = tmp_path / "run", tmp_path / "log", np.random.default_rng(0)
    arguments, steps = command(newborn, place, 30, 0.01), 30
    for kill in range(5):
        process = start(arguments, log)
        wait_for(process, place, 1 + 5 * kill)
        time.sleep(float(generator.uniform(0, 0.3)))
        process.kill()
        assert process.wait() == -signal.SIGKILL, log.read_text()[-3000:]
        arguments = [*arguments[:3], "evolve", "--resume", str(place)]
    assert start(arguments, log).wait() == 0, log.read_text()[-3000:]
    lived = Run.open(place, read_only=True)
    lived.experience.check_ids()
    episodes = list(lived.experience.episodes())
    assert lived.experience.shards() == [f"step-{step:06d}" for step in range(1, steps + 1)]
    assert lived.result is not None
    assert lived.result["episodes"] == len(episodes) == len({e.id for e in episodes})
    names = [name for row in lived.lineage() for name in row["learned_from"]]
    assert len(names) == len(set(names)) == lived.result["episodes_used"]
    assert set(Counter(e.group for e in episodes).values()) == {ATTEMPTS}
    behind = learned(place)
    assert max(lag for of_step in behind.values() for lag in of_step) <= 2
    for row in lived.lineage():
        refuse_stale(lived.experience.read(row["experience"]), row["version_before"], 2)
