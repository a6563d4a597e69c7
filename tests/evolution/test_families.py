"""Models of every family play an episode and take an update."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
import torch
from palaestra.agents.engine.policy import VllmPolicy
from palaestra.agents.language import LanguageAgent
from palaestra.agents.local import LocalPolicy
from palaestra.agents.policy import Request, Sampling
from palaestra.agents.rollout import Assignment, Rollout
from palaestra.agents.specs import load_agent
from palaestra.agents.spread.parcel import save_policy, unsave
from palaestra.envs import make
from palaestra.envs.errors import UsageError
from palaestra.evolution.recipes import find_recipe
from palaestra.evolution.updating.updater import Beginning

sys.path.insert(0, str(Path(__file__).parents[1] / "agents"))
import openelm_like
from small import ARCHITECTURES, WIDER, character_tokenizer, new_model

SPEC, SAMPLING = "palaestra/Arithmetic-v0?tries=2", Sampling(max_tokens=6)


def played(policy, count=4):
    task = make(SPEC).tasks[0]
    plan = [Assignment(f"{i}", SPEC, task, i, group="g", attempt=i) for i in range(count)]
    episodes = Rollout(LanguageAgent(policy, SAMPLING)).play(plan)
    assert all(episode.valid and episode.tokens for episode in episodes)
    return episodes


def learned(local, recipe, scratch):
    """Take one update of a recipe from what the policy lives through."""
    # Random weights are never right; every other one is paid.
    paid = [with_reward(episode, float(i % 2)) for i, episode in enumerate(played(local))]
    before = {name: weight.detach().clone() for name, weight in local.model.named_parameters()}
    update = replace(find_recipe(recipe).update, learning_rate=1e-3)
    updater = update.start(local, Beginning(0, 2, SAMPLING, scratch))
    metrics = updater.step(paid)
    assert local.version == 1
    assert np.isfinite(metrics["loss"])
    changed = [name for name, weight in local.model.named_parameters() if not torch.equal(weight, before[name])]
    # A position nobody was at, and nothing else, may stay as it is.
    assert len(changed) >= len(before) - 1
    return metrics


def with_reward(episode, reward):
    turns = (*episode.turns[:-1], replace(episode.turns[-1], reward=reward))
    return replace(episode, turns=turns)


@pytest.mark.parametrize("recipe", ["grpo", "rft"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_it_plays_and_learns(architecture, recipe, tmp_path):
    local = LocalPolicy(new_model(architecture), character_tokenizer(), "test:family")
    metrics = learned(local, recipe, tmp_path)
    assert recipe == "rft" or metrics["grad_norm"] > 0
    assert played(local, 1)[0].turns[0].versions[0] == 1


@pytest.mark.vllm
@pytest.mark.parametrize("architecture", WIDER)
def test_an_engine_plays_before_and_after_an_update(architecture, tmp_path):
    local = LocalPolicy(new_model(architecture, **WIDER[architecture]), character_tokenizer(), "test:family")
    engine = VllmPolicy.beside(local, tmp_path / "engine", dtype="float32", cache_gib=0.1)
    try:
        first = played(engine)
        learned(local, "grpo", tmp_path / "scratch")
        agreement = engine.follow(local)
        assert agreement.largest < 1e-3
        second, ours = played(engine), played(local)
    finally:
        engine.close()
    assert {v for e in first for t in e.turns for v in t.versions.tolist()} == {0}
    assert {v for e in second for t in e.turns for v in t.versions.tolist()} == {1}
    for one, other in zip(second, ours, strict=True):
        for mine, its in zip(one.turns, other.turns, strict=True):
            assert mine.reply_ids.tolist() == its.reply_ids.tolist()
            np.testing.assert_allclose(mine.logprobs, its.logprobs, atol=1e-3)


@pytest.fixture
def coded(tmp_path):
    """A checkpoint with Python code of its own, which leaves a mark where it is run."""
    folder, mark = tmp_path / "open elm", tmp_path / "mark"
    model = new_model("openelm")
    model.save_pretrained(folder)
    character_tokenizer().save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    classes = {"AutoConfig": "OpenELMConfig", "AutoModelForCausalLM": "OpenELMForCausalLM"}
    config["auto_map"] = {auto: f"modeling_openelm.{name}" for auto, name in classes.items()}
    (folder / "config.json").write_text(json.dumps(config))
    code = folder / "modeling_openelm.py"
    shutil.copy(openelm_like.__file__, code)
    code.write_text(code.read_text() + f"\n\nopen({str(mark)!r}, 'a').close()\n")
    return folder, mark, model


@pytest.fixture(autouse=True)
def modules_of_its_own(tmp_path, monkeypatch):
    """Code that comes with models is kept in the user's cache."""
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setattr("sys.path", [*sys.path])


def test_code_that_comes_with_a_model_is_run_at_a_person_s_word_only(coded, tmp_path):
    folder, mark, model = coded
    spec = f"local:{quote(str(folder))}"
    for refused in (spec, f"{spec}?trust_remote_code=false", f"{spec}?lora=2", f"vllm:{quote(str(folder))}"):
        with pytest.raises(UsageError, match="Python code of its own, which was not run"):
            load_agent(refused)
    with pytest.raises(UsageError, match="must be true or false"):
        load_agent(f"{spec}?trust_remote_code=yes")
    assert not mark.exists()
    agent = load_agent(f"{spec}?trust_remote_code=true", trainable=True)
    assert mark.exists()
    assert agent.name == f"{spec}?trust_remote_code=true"
    request = Request(np.arange(7, 20, dtype=np.int32), SAMPLING, 3)
    theirs = LocalPolicy(model, character_tokenizer(), "").sample([request])[0]
    assert agent.policy.sample([request])[0].ids.tolist() == theirs.ids.tolist()
    with pytest.raises(UsageError, match="The engine runs models that it knows"):
        VllmPolicy.beside(agent.policy, tmp_path / "engine")


def test_an_outpost_runs_the_code_that_a_person_allowed(coded):
    folder, *_ = coded
    policy = load_agent(f"local:{quote(str(folder))}?trust_remote_code=true", trainable=True).policy
    there = unsave(save_policy(policy))
    assert there.trust_remote_code
    request = Request(np.arange(7, 20, dtype=np.int32), SAMPLING, 3)
    assert there.sample([request])[0].ids.tolist() == policy.sample([request])[0].ids.tolist()


@pytest.mark.slow
def test_a_model_with_code_learns_and_goes_on_from_its_checkpoints(coded, tmp_path):
    folder, *_ = coded
    place, command = tmp_path / "run", [sys.executable, "-c", "from palaestra.evolution.cli import main; main()"]
    options = {"acquire.groups": 2, "acquire.attempts": 2, "evaluate.tasks": 2, "checkpoint_every": 1, "steps": 2}
    settings = [word for key, value in options.items() for word in ("--set", f"{key}={value}")]
    policy = f"local:{quote(str(folder))}?trust_remote_code=true"
    subprocess.run([*command, "evolve", "rft", "--policy", policy, "--run", str(place), *settings], check=True)
    shutil.rmtree(place / "checkpoints" / "step-000002")
    subprocess.run([*command, "evolve", "--resume", str(place)], check=True)
    last = f"run:{quote(str(place))}?trust_remote_code=true"
    assert load_agent(last).name.endswith("@2")
    with pytest.raises(UsageError, match="trust_remote_code"):
        load_agent(f"run:{quote(str(place))}")
