"""Agents by name."""

from urllib.parse import quote

import pytest
from palaestra.agents.language import LanguageAgent
from palaestra.agents.policy import Sampling
from palaestra.agents.scripted import ConstantAgent, OracleAgent, RandomAgent
from palaestra.agents.specs import load_agent
from palaestra.envs.errors import UnknownNameError, UsageError


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.mark.parametrize("agent", [RandomAgent(), OracleAgent(), ConstantAgent("3+4=7 & 50% äö\n")])
def test_names_of_scripted_agents_are_their_specs(agent):
    assert load_agent(agent.name) == agent


def test_constant_text_keeps_a_plus():
    assert load_agent("scripted:constant?text=3+4") == ConstantAgent("3+4")


def test_local_agents(policy, tmp_path):
    folder = tmp_path / "what? 100%"
    policy().save(folder)
    spec = f"local:{quote(str(folder))}?lora=2"
    agent = load_agent(spec, sampling=Sampling(max_tokens=3), trainable=True, system="Add.")
    assert isinstance(agent, LanguageAgent)
    assert agent.name == spec
    assert (agent.sampling.max_tokens, agent.system) == (3, "Add.")
    assert any("lora" in name for name, _ in agent.policy.model.named_parameters())


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("scriptd:random", "Unknown kind of agent 'scriptd'. Did you mean 'scripted'?"),
        ("random", "Unknown kind of agent 'random'. Known: http, local, nursery, run, scripted, search"),
        ("scripted:orcale", "Unknown scripted agent 'orcale'. Did you mean 'oracle' or 'crawler'?"),
        ("scripted:random?text=a", "Unknown option of scripted:random 'text'"),
        ("scripted:constant?test=a", "Did you mean 'text'?"),
        ("local:x?loar=8", "Unknown option of local 'loar'. Did you mean 'lora'?"),
    ],
)
def test_unknown_names(spec, message):
    with pytest.raises(UnknownNameError) as caught:
        load_agent(spec)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("scripted:constant", "needs what it says"),
        ("nursery:arithmetic?sede=1", "has no parameter 'sede'"),
        ("scripted:", "names nothing"),
        ("local:x?lora=many", "'lora' must be a whole number from 0, got 'many'"),
        ("nursery:arithmetic?seed=-1", "'seed' must be a whole number"),
        ("local:nobody/nothing-of-this-name", "Cannot load a causal language model from 'nobody/nothing-of-this-name'"),
    ],
)
def test_unusable_specs(spec, message):
    with pytest.raises(UsageError, match=message):
        load_agent(spec)
