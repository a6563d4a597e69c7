"""Episodes on a real cluster of several nodes, some of which are lost while they play."""

import os
import re
import signal
import time
from collections import Counter
from pathlib import Path

import lossy_worlds
import psutil
import pytest
import torch
from local_cluster import local_cluster, when
from lossy_worlds import TASKS, begun
from palaestra.agents.language import LanguageAgent
from palaestra.agents.policy import Sampling
from palaestra.agents.rollout import Assignment, Rollout
from palaestra.agents.scripted import RandomAgent
from palaestra.agents.spread import posts, pulse
from palaestra.agents.spread.cluster import connect
from palaestra.agents.spread.rollout import SpreadRollout
from palaestra.agents.spread.settings import Spread
from palaestra.agents.twin import trained_weights
from palaestra.envs import make
from palaestra.envs.errors import InfrastructureError, RefusedError, UsageError
from palaestra.envs.verdict import Status

pytestmark = pytest.mark.slow

SUMS = "palaestra/Arithmetic-v0"


@pytest.fixture(scope="module")
def cluster():
    with local_cluster(2, modules=Path(lossy_worlds.__file__).parent) as cluster:
        connect(cluster.address)
        yield cluster


@pytest.fixture(scope="module")
def scripted(cluster):
    """A rollout of random players; its outposts play test after test."""
    rollout = SpreadRollout(RandomAgent(), Spread(actors=3, cpus=0.25, batch=6))
    yield rollout
    rollout.close()


@pytest.fixture
def spread_over(cluster):
    """Rollouts over the cluster; their outposts go with the test."""
    made = []

    def build(agent, **settings):
        made.append(SpreadRollout(agent, Spread(**{"cpus": 0.25} | settings)))
        return made[-1]

    yield build
    for rollout in made:
        rollout.close()


def lossy(count, kind="World", **options):
    spec = f"lossy_worlds:lossy/{kind}-v0?" + "&".join(f"{key}={value}" for key, value in options.items())
    return [Assignment(f"e{i}", spec, TASKS[i], i, f"g{i // 4}", i % 4) for i in range(count)]


def digests(episodes):
    return [episode.digest() for episode in episodes]


def test_episodes_of_a_scripted_agent_are_those_of_one_process(scripted):
    heard = []
    episodes = scripted.play(lossy(50), heard.append)
    assert digests(episodes) == digests(Rollout(RandomAgent()).play(lossy(50)))
    assert sorted(digests(heard)) == sorted(digests(episodes))
    streamed = []
    scripted.stream(iter(lossy(50)), streamed.append)
    assert sorted(digests(streamed)) == sorted(digests(episodes))
    assert scripted.play([]) == []
    assert scripted.meter.read()["judging"] > 0


def test_a_policy_plays_the_same_however_many_outposts_there_are_and_follows_its_updates(spread_over, policy):
    learner = policy()
    agent = LanguageAgent(learner, Sampling(max_tokens=6))
    tasks = make(SUMS).tasks
    assignments = [Assignment(f"e{i}", SUMS, tasks[i], i) for i in range(40)]
    several, one = spread_over(agent, actors=2, batch=8), spread_over(agent, actors=1, batch=8)
    for version in range(3):
        episodes = several.play(assignments)
        assert digests(episodes) == digests(one.play(assignments))
        here = Rollout(agent).play(assignments)
        assert [e.turns[0].reply_ids.tolist() for e in episodes] == [e.turns[0].reply_ids.tolist() for e in here]
        assert {int(v) for e in episodes for v in e.turns[0].versions} == {version}
        with torch.no_grad():
            for weight in trained_weights(learner.model).values():
                weight.mul_(1.05)
        learner.version += 1


def test_an_outpost_that_dies_is_replaced_and_its_episodes_are_replayed(scripted, tmp_path):
    killed = lossy(60, deadly=23, once=tmp_path / "killed")
    episodes = scripted.play(killed)
    assert (tmp_path / "killed").exists()
    assert [e.turns[1].reward for e in episodes] == [e.turns[1].reward for e in Rollout(RandomAgent()).play(killed)]
    assert [e.id for e in episodes] == [f"e{i}" for i in range(60)]


def test_an_episode_that_kills_whoever_plays_it_is_invalid_and_takes_no_other_with_it(scripted, tmp_path):
    episodes = scripted.play(lossy(24, deadly=11, log=tmp_path))
    assert [e.id for e in episodes] == [f"e{i}" for i in range(24)]
    (broken,) = [e for e in episodes if not e.valid]
    assert broken.id == "e11"
    assert (broken.verdict.status, broken.turns, broken.reward) == (Status.INFRASTRUCTURE, (), 0.0)
    assert "3 outposts were lost while playing this" in broken.verdict.detail
    times = Counter(one.task for one in begun(tmp_path))
    assert times["t11"] == 3
    assert {times[f"t{i}"] for i in (*range(6), *range(12, 24))} == {1}  # batches that lost nobody


def test_a_node_and_an_outpost_lost_from_outside(cluster, spread_over, tmp_path):
    """One process is killed while it plays, then a whole node is."""
    extra = cluster.add_node(num_cpus=2, object_store_memory=80 * 2**20)
    rollout = spread_over(RandomAgent(), actors=4, batch=5)
    warm, log, ended = tmp_path / "warm", tmp_path / "log", []
    for folder in (warm, log):
        folder.mkdir()
    while len({one.process for one in begun(warm)}) < 4:
        rollout.play(lossy(40, seconds=0.05, log=warm))
    when(lambda: len(begun(log)) > 20, lambda: os.kill(begun(log)[-1].process, signal.SIGKILL))
    when(lambda: len(begun(log)) > 50, lambda: cluster.remove_node(extra, allow_graceful=False))
    played = lossy(100, seconds=0.2, log=log)
    episodes = rollout.play(played, lambda episode: ended.append(episode.id))
    assert len(begun(log)) > 100  # some were replayed
    assert all(e.valid for e in episodes)
    assert [e.id for e in episodes] == [a.id for a in played]
    assert Counter(ended) == Counter(a.id for a in played)
    assert digests(episodes) == digests(Rollout(RandomAgent()).play(played))


def test_an_outpost_that_is_stopped_is_killed_and_its_episodes_are_replayed(spread_over, monkeypatch, tmp_path):
    monkeypatch.setattr(pulse, "SILENT_SECONDS", 8.0)
    (log := tmp_path / "log").mkdir()
    played, ended = lossy(30, deadly=8, how="stop", once=tmp_path / "stopped", log=log), []
    episodes = spread_over(RandomAgent(), actors=2, batch=6).play(played, lambda e: ended.append(e.id))
    stopped, *_ = tried = [one for one in begun(log) if one.task == "t8"]
    assert len(tried) == 2
    assert Counter(ended) == Counter(a.id for a in played)
    assert digests(episodes) == digests(Rollout(RandomAgent()).play(played))
    deadline = time.monotonic() + 60
    while psutil.pid_exists(stopped.process):  # Ray asks it to end, and kills it when it does not answer
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_an_episode_that_hangs_whoever_plays_it_is_invalid_and_says_since_when(spread_over, monkeypatch):
    """Its thread waits for what never comes, while the process answers."""
    monkeypatch.setattr(pulse, "SILENT_SECONDS", 6.0)
    episodes = spread_over(RandomAgent(), actors=2, batch=4).play(lossy(12, "Instant", deadly=5, how="wait"))
    (broken,) = [e for e in episodes if not e.valid]
    assert (broken.id, broken.verdict.status, broken.reward) == ("e5", Status.INFRASTRUCTURE, 0.0)
    assert re.search(
        r"3 outposts were lost .*outpost \d+ has given no sign of life since \d{4}-", broken.verdict.detail
    )


def test_what_takes_long_and_goes_on_is_no_hang(spread_over, monkeypatch, tmp_path):
    monkeypatch.setattr(pulse, "SILENT_SECONDS", 6.0)
    episodes = spread_over(RandomAgent(), actors=1, batch=2).play(lossy(2, "Instant", busy=3.0, log=tmp_path))
    assert all(e.valid for e in episodes)
    assert len(begun(tmp_path)) == 2


def test_a_service_that_refuses_stops_everything_and_the_next_call_plays(scripted):
    with pytest.raises(RefusedError, match=r"^the service wants a key$"):
        scripted.play(lossy(40, refusing=17, seconds=0.01))
    assert len(scripted.play(lossy(12))) == 12


def test_what_cannot_be_made_there_is_said_here(scripted):
    with pytest.raises(UsageError, match="nowhere"):
        scripted.play([Assignment("e", "nowhere:no/World-v0", TASKS[0], 0)])


def test_a_cluster_without_room_is_not_waited_for_for_ever(spread_over, monkeypatch):
    monkeypatch.setattr(posts, "START_SECONDS", 3.0)
    with pytest.raises(InfrastructureError, match=r"No outpost became ready within 3 s. Each needs 64 processors"):
        spread_over(RandomAgent(), actors=1, cpus=64).play(lossy(1))


def test_nobody_at_an_address(cluster):
    import ray

    ray.shutdown()
    with pytest.raises(UsageError, match=r"no Ray cluster to join at '127.0.0.1:1'"):
        SpreadRollout(RandomAgent(), Spread(address="127.0.0.1:1")).play(lossy(1))
