"""Playing while learning: real runs with a tiny policy in a world whose steps take a while."""

import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from ahead_runs import ATTEMPTS, ENV, GROUPS, learned, newborn_policy, settings
from palaestra.agents.local import LocalPolicy
from palaestra.agents.policy import FinishReason, Request, Sample, Sampling
from palaestra.agents.rollout import Rollout
from palaestra.agents.specs import load_agent
from palaestra.agents.twin import Twin
from palaestra.envs.errors import ContractError, InfrastructureError, UsageError
from palaestra.evolution.acquisition.ahead import Ahead
from palaestra.evolution.acquisition.groups import SampleGroups
from palaestra.evolution.evolve import Interrupted, evolve, resume
from palaestra.evolution.experience import ExperienceStore
from palaestra.evolution.objective import Objective
from palaestra.evolution.pace import lags, refuse_stale
from palaestra.evolution.recipes import find_recipe
from palaestra.evolution.result import Result
from palaestra.evolution.run import Run
from palaestra.evolution.view import Silent, StepRecord
from palaestra.evolution.yard import Yard


@pytest.fixture(scope="module")
def newborn(tmp_path_factory: pytest.TempPathFactory) -> str:
    return newborn_policy(tmp_path_factory.mktemp("newborn"))


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
    # Two steps have learned; what two more need is ready, or three, as the bound allows. Two requests an episode.
    assert (2 + 2) * GROUPS * ATTEMPTS * 2 <= seen[0] <= (2 + 3) * GROUPS * ATTEMPTS * 2


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


class Engine:
    """A policy as servers have it: answers one by one from a thread, and takes weights in mid-reply."""

    def __init__(self, policy: LocalPolicy) -> None:
        self.name, self.tokenizer, self.context_limit = "engine", policy.tokenizer, policy.context_limit
        self.version = policy.version
        self.threads = ThreadPoolExecutor(1)

    def sample(self, requests: list[Request]) -> list[Sample]:
        raise AssertionError("a continuous policy is asked one by one")

    def take(self, weights: Mapping[str, torch.Tensor], version: int) -> None:
        assert weights
        self.version = version

    def submit(self, request: Request) -> Future[Sample]:
        return self.threads.submit(self.answer)

    def answer(self) -> Sample:
        versions = []
        for _ in range(3):
            time.sleep(0.001)
            versions.append(self.version)
        ids = np.array([*self.tokenizer.encode("ab", add_special_tokens=False), self.tokenizer.eos_token_id], np.int32)
        return Sample(ids, np.zeros(3, np.float32), FinishReason.STOP, np.array(versions, np.int32))


def test_any_engine_that_takes_weights_can_sample(tmp_path: Path, newborn: str) -> None:
    agent = load_agent(newborn, sampling=Sampling(max_tokens=3), trainable=True)
    policy = agent.policy
    assert isinstance(policy, LocalPolicy)
    yard = Yard(Rollout(agent), seed=1)
    groups = SampleGroups(GROUPS, ATTEMPTS, Sampling(max_tokens=3))
    engine = Engine(policy)
    ahead = Ahead(groups, yard, ExperienceStore(tmp_path), 2, engine)
    versions: list[Counter[int]] = []
    try:
        for step in range(1, 9):
            episodes = ahead.acquire(ENV, step).episodes
            assert len(episodes) == GROUPS * ATTEMPTS
            refuse_stale(episodes, policy.version, 2)
            versions.append(Counter(int(v) for e in episodes for turn in e.turns for v in turn.versions))
            policy.version += 1
            ahead.updated()
    finally:
        ahead.close()
        engine.threads.shutdown()
    assert set(versions[0]) == {0}
    assert max(versions[-1]) >= 5, "the engine got the weights"


def test_what_is_older_than_the_bound_is_refused_by_the_loop(tmp_path: Path, newborn: str) -> None:
    run(tmp_path / "run", newborn, 1, steps=2)
    lived = Run.open(tmp_path / "run", read_only=True)
    episodes = lived.experience.read("step-000001")
    assert set(lags(episodes, 3).tolist()) == {3}
    refuse_stale(episodes, 3, 3)
    with pytest.raises(ContractError, match="3 versions behind 3; at most 2"):
        refuse_stale(episodes, 3, 2)


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
