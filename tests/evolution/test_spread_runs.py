"""Runs whose episodes are played on a real cluster: the same as in one process, whatever is lost meanwhile."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lossy_worlds
import pytest
from ahead_runs import newborn_policy, settings
from local_cluster import MEMORY, local_cluster, when
from lossy_worlds import begun, raises
from palaestra.agents.episode import Episode
from palaestra.agents.http.agent import HttpAgent
from palaestra.agents.http.endpoint import Endpoint
from palaestra.agents.rollout import Assignment
from palaestra.agents.spread.cluster import connect
from palaestra.agents.spread.rollout import SpreadRollout
from palaestra.agents.spread.settings import Spread
from palaestra.envs import make
from palaestra.envs.errors import UsageError
from palaestra.envs.verdict import Status
from palaestra.evolution.evolve import evolve
from palaestra.evolution.objective import Objective
from palaestra.evolution.recipes import find_recipe
from palaestra.evolution.result import Result
from palaestra.evolution.run import Run
from palaestra.evolution.view import Silent
from scripted_server import Heard, Said, ScriptedServer, chat

INSTANT = "lossy_worlds:lossy/Instant-v0"
LOSSY = "lossy_worlds:lossy/World-v0"
EXECUTOR = "ray?actors=3&cpus=0.25&batch=16"


@pytest.fixture(scope="module")
def newborn(tmp_path_factory: pytest.TempPathFactory) -> str:
    return newborn_policy(tmp_path_factory.mktemp("newborn"))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with local_cluster(2, modules=Path(lossy_worlds.__file__).parent) as cluster:
        connect(cluster.address)
        yield cluster


def run(place: Path, policy: str, env: str, executor: str, recipe: str = "grpo", **rest: Any) -> Result:
    more = {name: rest.pop(name) for name in ("staleness", "engine") if name in rest}
    chosen = settings(**rest)
    return evolve(
        find_recipe(recipe, chosen if recipe == "grpo" else {}),
        objective=Objective("say", (env,)),
        policy=policy,
        seed=0,
        directory=place,
        view=Silent(),
        settings=chosen,
        executor=executor,
        **more,
    )


def lived(place: Path) -> list[Episode]:
    return list(Run.open(place, read_only=True).experience.episodes())


@pytest.mark.slow
def test_a_run_on_a_cluster_is_the_run_in_one_process(tmp_path: Path, newborn: str, cluster: Any) -> None:
    for place, executor in (("here", ""), ("there", EXECUTOR)):
        run(tmp_path / place, newborn, INSTANT, executor, steps=3)
    here, there = lived(tmp_path / "here"), lived(tmp_path / "there")
    assert [e.digest() for e in there] == [e.digest() for e in here]
    assert {int(v) for e in there for t in e.turns for v in t.versions} == {0, 1, 2}
    ends = [tmp_path / place / "checkpoints" / "step-000003" / "model.safetensors" for place in ("here", "there")]
    assert ends[0].read_bytes() == ends[1].read_bytes()
    rows = [row for row in Run.open(tmp_path / "there", read_only=True).metrics.rows() if row["phase"] == "train"]
    assert all(0 < row["share_of_seconds/sampling"] <= 1 for row in rows)


@pytest.mark.slow
def test_a_killed_run_goes_on_on_the_cluster_it_was_begun_on(tmp_path: Path, newborn: str, cluster: Any) -> None:
    place, log = tmp_path / "run", tmp_path / "log"
    chosen = [word for key, value in settings(steps=5).items() for word in ("--set", f"{key}={value}")]
    spec = f"{EXECUTOR}&address={cluster.address}"
    palaestra = [sys.executable, "-c", "from palaestra.evolution.cli import main; main()", "evolve"]
    began = [*palaestra, "--executor", spec, "--policy", newborn, "--env", INSTANT, "--run", str(place), *chosen]
    with log.open("wb") as out:
        process = subprocess.Popen(began, stdout=out, stderr=out)
        while process.poll() is None and len(list((place / "experience").glob("step-*.parquet"))) < 2:
            time.sleep(0.01)
        process.kill()
        assert process.wait() == -signal.SIGKILL, log.read_text()[-3000:]
        resumed = subprocess.run([*palaestra, "--resume", str(place)], stdout=out, stderr=out, check=False)
    assert resumed.returncode == 0, log.read_text()[-3000:]
    run(tmp_path / "whole", newborn, INSTANT, "", steps=5)
    assert [e.digest() for e in lived(place)] == [e.digest() for e in lived(tmp_path / "whole")]


@pytest.mark.slow
def test_chaos_an_outpost_and_a_node_die_and_worlds_fail_and_dawdle(tmp_path: Path, newborn: str, cluster: Any) -> None:
    extra = cluster.add_node(num_cpus=2, object_store_memory=MEMORY)
    log, place, steps = tmp_path / "log", tmp_path / "run", 4
    log.mkdir()
    done = []

    def kill_an_outpost() -> None:
        os.kill(begun(log)[-1].process, signal.SIGKILL)
        done.append("outpost")

    def remove_a_node() -> None:
        cluster.remove_node(extra, allow_graceful=False)
        done.append("node")

    # The first evaluation plays 40 episodes, every step 64.
    when(lambda: len(begun(log)) > 70, kill_an_outpost)
    when(lambda: len(begun(log)) > 170, remove_a_node)
    world = f"{LOSSY}?seconds=0.05&late=0.05&raising=0.1&log={log}"
    sizes = {"acquire__groups": 16, "acquire__rounds": 1, "acquire__attempts": 4, "evaluate__tasks": 40}
    result = run(place, newborn, world, "ray?actors=4&cpus=0.25&batch=8", steps=steps, **sizes)
    episodes = lived(place)
    assert sorted(done) == ["node", "outpost"]
    assert len(begun(log)) > len(episodes) + 2 * 40  # some were replayed
    assert Counter(e.id for e in episodes) == Counter(
        f"s{s}/r0/g{g}/a{a}" for s in range(1, steps + 1) for g in range(16) for a in range(4)
    )
    broken = {e.id for e in episodes if raises(int(e.task[1:]), 0.1)}
    assert 0 < len(broken) < len(episodes) / 4
    assert {e.id for e in episodes if not e.valid} == broken
    assert all(e.verdict.status is Status.INFRASTRUCTURE and e.verdict.reward == 0 for e in episodes if not e.valid)
    learned = {name for row in Run.open(place, read_only=True).lineage() for name in row["learned_from"]}
    assert learned
    assert not learned & broken
    assert (result.episodes, result.invalid) == (len(episodes), len(broken))


@pytest.mark.slow
def test_a_run_plays_ahead_on_a_cluster_whatever_is_lost_and_goes_on(
    tmp_path: Path, newborn: str, cluster: Any
) -> None:
    log, place, steps, bound = tmp_path / "log", tmp_path / "run", 6, 2
    log.mkdir()
    done = []

    def kill_an_outpost() -> None:
        os.kill(begun(log)[-1].process, signal.SIGKILL)
        done.append("outpost")

    when(lambda: len(begun(log)) > 120, kill_an_outpost)
    world = f"{LOSSY}?seconds=0.02&late=0.05&raising=0.1&log={log}"
    sizes = {"acquire__groups": 16, "acquire__rounds": 1, "acquire__attempts": 4, "evaluate__tasks": 40}
    executor = "ray?actors=3&cpus=0.25&batch=8"
    result = run(place, newborn, world, executor, steps=steps, staleness=bound, evaluate_every=2, **sizes)
    kept = Run.open(place, read_only=True)
    episodes = lived(place)
    assert done == ["outpost"]
    assert len({e.id for e in episodes}) == len(episodes) == steps * 16 * 4
    assert all(not e.valid for e in episodes if raises(int(e.task[1:]), 0.1))
    groups = [n for shard in kept.experience.shards() for n in kept.experience.lineage(shard)["groups"]]
    dropped = [n for shard in kept.experience.shards() for n in kept.experience.lineage(shard)["dropped"]]
    assert len(set(groups + dropped)) == len(groups + dropped) == steps * 16 + len(dropped)
    rows = [row for row in kept.metrics.rows() if row["phase"] == "train"]
    assert 0 < max(row["lag/max"] for row in rows) <= bound
    for shard, row in zip(kept.experience.shards(), rows, strict=True):
        of_one = [{int(v) for t in e.turns for v in t.versions} for e in kept.experience.read(shard) if e.valid]
        assert {len(versions) for versions in of_one} == {1}
        assert min(v for versions in of_one for v in versions) >= row["step"] - 1 - bound
    assert result.steps == steps


@pytest.mark.slow
def test_chaos_a_server_dies_and_comes_back_under_outposts(cluster: Any) -> None:
    def script(heard: Heard) -> Said:
        if heard.number % 10 == 3:
            return Said(b"busy", 503) if heard.number % 20 == 3 else Said(reset=True)
        # What is said tells which answers became rewards: only those that came whole.
        return Said(chat("7"), after=0.5 if heard.number % 20 == 7 else 0.01)

    tasks = make("palaestra/Arithmetic-v0").tasks
    played = [Assignment(f"e{i}", "palaestra/Arithmetic-v0", tasks[i], i) for i in range(300)]
    server = ScriptedServer(script).__enter__()
    rollout = SpreadRollout(HttpAgent(Endpoint("m", server.url, concurrency=4)), Spread(actors=2, cpus=0.25, batch=20))
    servers, ended = [server], []

    def restart() -> None:
        server.__exit__()
        time.sleep(1.0)
        servers.append(ScriptedServer(script, server.port).__enter__())

    when(lambda: len(server.heard) > 100, restart)
    try:
        episodes = rollout.play(played, lambda episode: ended.append(episode.id))
    finally:
        rollout.close()
        servers[-1].__exit__()
    assert len(servers) == 2
    assert all(len(one.heard) > 50 for one in servers)
    assert [e.id for e in episodes] == [a.id for a in played]
    assert Counter(ended) == Counter(a.id for a in played)
    assert all(e.valid and e.turns[0].reply == "7" for e in episodes)


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ({"recipe": "spiral"}, "acquires by SelfPlay, whose games are played in this process"),
        ({"recipe": "alphazero"}, "acquires by SearchPlay"),
        ({"engine": "vllm"}, "--engine vllm do not go together"),
        ({"executor": "rays"}, "Unknown executor 'rays'. Did you mean 'ray'"),
        ({"executor": "ray?cpu=1"}, "Did you mean 'cpus'"),
        ({"executor": "ray?address=127.0.0.1:1"}, "no Ray cluster to join at '127.0.0.1:1'"),
        ({"executor": "ray?address=127.0.0.1:99999"}, "no Ray cluster to join at '127.0.0.1:99999'"),
    ],
)
def test_what_does_not_go_with_an_executor(tmp_path: Path, rest: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        run(tmp_path / "run", "local:nowhere", INSTANT, **{"executor": "ray"} | rest)
    assert not (tmp_path / "run").exists()
