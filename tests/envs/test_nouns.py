"""Errors, verdicts and seeding."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from palaestra.envs.errors import BadRowError, ContractError, PalaestraError, UnknownNameError, UsageError
from palaestra.envs.seeding import derive_generator, derive_seed
from palaestra.envs.verdict import Status, Verdict


def test_unknown_name_suggests_the_nearest_ones() -> None:
    error = UnknownNameError("recipe", "grop", ["grpo", "rft"], "See the list.")
    assert error.suggestions == ("grpo",)
    assert str(error) == "Unknown recipe 'grop'. Did you mean 'grpo'? See the list."


def test_unknown_name_lists_each_known_one_once_where_none_is_near() -> None:
    assert str(UnknownNameError("recipe", "zzz", ["grpo", "rft", "rft"])) == "Unknown recipe 'zzz'. Known: grpo, rft."


def test_bad_row_names_file_line_and_field() -> None:
    assert str(BadRowError("a.jsonl", 3, "answer", "missing.")) == "a.jsonl, line 3, field 'answer': missing."
    assert str(BadRowError("a.jsonl", 3, "", "not JSON.")) == "a.jsonl, line 3: not JSON."
    assert issubclass(BadRowError, UsageError)
    assert issubclass(UsageError, ValueError)
    assert issubclass(UsageError, PalaestraError)


@pytest.mark.parametrize("status", list(Status))
def test_only_two_statuses_are_no_rewards(status: Status) -> None:
    assert status.valid is (status.value not in ("broken_task", "infrastructure"))
    assert Verdict(0.0, status).valid is status.valid
    if not status.valid:
        with pytest.raises(ContractError, match="no reward"):
            Verdict(0.5, status)


@pytest.mark.parametrize("reward", [float("nan"), float("inf"), -float("inf")])
def test_a_reward_is_finite(reward: float) -> None:
    with pytest.raises(ContractError, match="finite"):
        Verdict(reward, Status.CORRECT)


def test_equal_verdicts_are_equal_whatever_number_the_judge_used() -> None:
    verdict = Verdict(np.float32(1), Status.CORRECT)  # type: ignore[arg-type]
    assert verdict == Verdict(True, Status.CORRECT)
    assert type(verdict.reward) is float


def test_derived_seeds_never_change() -> None:
    # Frozen numbers: recorded runs name their streams by them.
    assert derive_seed(0) == 4761921975702974394
    assert derive_seed(7, "acquire", 3) == 8515679794775082999


KEYS = st.lists(st.integers(-5, 5) | st.text(alphabet="ab:\x1e\x1f0", max_size=4), max_size=3)


@given(st.integers(0, 3), KEYS, st.integers(0, 3), KEYS)
def test_other_paths_are_other_streams(seed: int, keys: list[int | str], other: int, others: list[int | str]) -> None:
    same = (seed, keys) == (other, others)
    assert (derive_seed(seed, *keys) == derive_seed(other, *others)) is same
    assert 0 <= derive_seed(seed, *keys) < 2**63


def test_a_text_key_is_not_a_number_key() -> None:
    assert derive_seed(0, "1") != derive_seed(0, 1)
    assert derive_generator(0, "x").random() == derive_generator(0, "x").random()
    assert derive_generator(0, "x").random() != derive_generator(1, "x").random()
