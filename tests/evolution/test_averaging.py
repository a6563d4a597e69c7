"""The mean of several policies' weights."""

from pathlib import Path

import pytest
import torch
from newborns import save_newborn
from palaestra.agents.local import LocalPolicy
from palaestra.agents.specs import load_agent
from palaestra.envs.errors import UsageError
from palaestra.evolution.cli import main
from palaestra.evolution.updating.averaging import average_into
from peft import LoraConfig, get_peft_model


@pytest.fixture
def three(tmp_path: Path) -> list[LocalPolicy]:
    """Policies of one beginning that went different ways."""
    place = save_newborn(tmp_path / "newborn")
    policies = [LocalPolicy.load(place, trainable=True) for _ in range(3)]
    with torch.no_grad():
        for number, policy in enumerate(policies):
            for weight in policy.model.parameters():
                weight += number
    return policies


def distances(policy: LocalPolicy, place: Path) -> set[float]:
    """By how much each weight is above the newborn's."""
    start = LocalPolicy.load(place, trainable=True).model.state_dict()
    return {round(float(x), 4) for n, w in policy.model.state_dict().items() for x in (w - start[n]).reshape(-1)}


def test_the_mean_and_a_weighed_one(three: list[LocalPolicy], tmp_path: Path) -> None:
    mean = average_into(three)
    assert mean is three[0]
    assert distances(mean, tmp_path / "newborn") == {1.0}
    assert distances(average_into(three[1:], [3, 1]), tmp_path / "newborn") == {1.25}


def test_what_cannot_be_averaged_is_refused(three: list[LocalPolicy], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="two policies or more"):
        average_into(three[:1])
    with pytest.raises(UsageError, match="3 shares above 0"):
        average_into(three, [1.0, 0.0, 1.0])
    wider = LocalPolicy.load(save_newborn(tmp_path / "wider", width=32))
    with pytest.raises(UsageError, match=r"is not built as .*: they differ in \d+ weights"):
        average_into([three[0], wider])


def adapted(place: Path, number: int, *, shift: float = 0.0, alpha: int = 8) -> LocalPolicy:
    """A policy with adapters that are `number` everywhere, on a newborn's weights plus some."""
    policy = LocalPolicy.load(place, trainable=True)
    with torch.no_grad():
        for weight in policy.model.parameters():
            weight += shift
    plan = LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=alpha, target_modules="all-linear")
    policy.model = get_peft_model(policy.model, plan)  # type: ignore[assignment]
    with torch.no_grad():
        for weight in policy.model.parameters():
            if weight.requires_grad:
                weight.fill_(number)
    return policy


def test_adapters_of_one_model_alone_are_averaged(tmp_path: Path) -> None:
    place = save_newborn(tmp_path / "newborn")
    mean = average_into([adapted(place, 1), adapted(place, 3)])
    below = LocalPolicy.load(place, trainable=True).model.state_dict()
    for name, weight in mean.model.state_dict().items():
        if ".lora_" in name:
            assert set(weight.reshape(-1).tolist()) == {2.0}
        else:
            plain = name.removeprefix("base_model.model.").replace(".base_layer", "")
            assert torch.equal(weight, below[plain])
    with pytest.raises(UsageError, match=r"stand on different models: below them \d+ weights differ, the first is '"):
        average_into([adapted(place, 1), adapted(place, 3, shift=0.1)])
    with pytest.raises(UsageError, match=r"scaled differently .*: .*: 4.0.* and .*: 2.0"):
        average_into([adapted(place, 1), adapted(place, 3, alpha=16)])


def test_the_command_writes_a_policy(three: list[LocalPolicy], tmp_path: Path) -> None:
    for number, policy in enumerate(three):
        policy.save(tmp_path / str(number))
    out = tmp_path / "mean"

    def average(*specs: str) -> int | str | None:
        with pytest.raises(SystemExit) as end:
            main(["average", *specs, "--out", str(out)])
        return end.value.code

    specs = [f"local:{tmp_path / str(number)}" for number in range(3)]
    assert average(*specs) in (0, None)
    policy = load_agent(f"local:{out}", trainable=True).policy
    assert isinstance(policy, LocalPolicy)
    assert distances(policy, tmp_path / "newborn") == {1.0}
    assert average(*specs) == 2, "nothing is written over"
    out = tmp_path / "other"
    assert average(specs[0], "scripted:random") == 2
    assert not out.exists()
