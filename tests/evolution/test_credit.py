import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.evolution.updating.credit import CREDITS, advantages, is_uniform, returns
from trl.trainer.utils import nanstd

# One task, four attempts of one turn: two right. Mean 0.5, squared deviations sum to 1, s = sqrt(1 / 3) = 0.57735.
SINGLE = [[1.0], [0.0], [0.0], [1.0]]
# Attempt a ends at once with 1; b and c play on; c alone sees turn 2.
RAGGED = [[1.0], [0.0, 1.0], [0.0, 0.0, 0.0]]


def flat(group):
    return [float(x) for attempt in group for x in attempt]


def test_returns_are_what_was_paid_from_each_turn_on():
    assert returns([1.0, 0.0, 2.0]).tolist() == [3.0, 2.0, 2.0]
    assert returns([1.0, 0.0, 2.0], gamma=0.5).tolist() == [1.5, 1.0, 2.0]
    assert returns([]).tolist() == []


@pytest.mark.parametrize(
    ("credit", "right", "wrong"),
    [
        ("grpo", 0.5 / 0.57745027, -0.5 / 0.57745027),
        ("dr_grpo", 0.5, -0.5),
        ("rloo", 1 - 1 / 3, 0 - 2 / 3),
        ("reinforce++", 1.0, -1.0),  # root mean square of the centred rewards: 0.5
    ],
)
def test_single_turns_by_hand(credit, right, wrong):
    assert flat(advantages([SINGLE], credit)[0]) == pytest.approx([right, wrong, wrong, right], rel=1e-6)


@pytest.mark.parametrize(
    ("credit", "expected"),
    [
        # Turn 0: returns 1, 1, 0, mean 2/3. Turn 1: returns 1, 0 of b and c, mean 1/2.
        # Turn 2: c alone, return 0, against the others' whole returns 1 and 1: mean 2/3.
        ("dr_grpo", [[1 / 3], [1 / 3, 1 / 2], [-2 / 3, -1 / 2, -2 / 3]]),
        # The mean of the others: 1/2, 1/2, 1; then 0 and 1; then 1.
        ("rloo", [[1 / 2], [1 / 2, 1], [-1, -1, -1]]),
        # s: sqrt((1/9 + 1/9 + 4/9) / 2) = 0.5773503; sqrt((1/4 + 1/4) / 1) = 0.7071068; 0.5773503.
        ("grpo", [[0.5772503], [0.5772503, 0.7070068], [-1.1545005, -0.7070068, -1.1545005]]),
        # Mean square: (1/9 + 1/9 + 1/4 + 4/9 + 1/4 + 4/9) / 6 = 29/108, root 0.5181877.
        ("reinforce++", [[0.6432675], [0.6432675, 0.9649013], [-1.2865350, -0.9649013, -1.2865350]]),
    ],
)
def test_turns_by_hand(credit, expected):
    found = advantages([RAGGED], credit)[0]
    assert [len(x) for x in found] == [1, 2, 3]
    assert flat(found) == pytest.approx(flat(expected), abs=1e-6)


def test_discount_by_hand():
    # gamma 1/2. Returns: [1, 2] and [1, 0]; turn 0 is equal, turn 1 differs by 2.
    assert flat(advantages([[[0.0, 2.0], [1.0, 0.0]]], "dr_grpo", gamma=0.5)[0]) == [0.0, 1.0, 0.0, -1.0]


def test_reinforce_plus_plus_divides_by_the_spread_of_the_whole_batch():
    # Centred: 1, -1 and 3, -3; mean square (1 + 1 + 9 + 9) / 4 = 5. The group of one is not counted.
    found = advantages([[[2.0], [0.0]], [[6.0], [0.0]], [[100.0]]], "reinforce++")
    root = 5**0.5
    assert [flat(g) for g in found] == [
        pytest.approx([1 / root, -1 / root]),
        pytest.approx([3 / root, -3 / root]),
        [0.0],
    ]


@given(rewards=st.lists(st.lists(st.floats(-5, 5), min_size=4, max_size=4), min_size=1, max_size=5))
def test_grpo_equals_the_trainers_own_rule(rewards):
    table = torch.tensor(rewards, dtype=torch.float64)
    # GRPOTrainer._generate_and_score_completions with scale_rewards="group".
    theirs = (table - table.mean(1, keepdim=True)) / (nanstd(table, dim=1)[:, None] + 1e-4)
    ours = advantages([[[r] for r in group] for group in rewards], "grpo")
    np.testing.assert_allclose([flat(g) for g in ours], theirs.numpy(), atol=1e-9)


@pytest.mark.parametrize("credit", CREDITS)
def test_uniform_groups_and_groups_of_one_teach_nothing(credit):
    uniform = [[0.1], [0.1], [0.1]]  # the mean of three 0.1 is not 0.1 in floating point
    found = advantages([uniform, [[1.0, 2.0]], [], [[], []], SINGLE], credit)
    assert flat(found[0]) == [0.0] * 3
    assert flat(found[1]) == [0.0] * 2
    assert found[2:4] == [[], [pytest.approx([]), pytest.approx([])]]
    assert all(found[4][i][0] != 0 for i in range(4))


def test_is_uniform():
    assert is_uniform([[0.1], [0.1], [0.1]])
    assert is_uniform([[3.0]])
    assert is_uniform([[0.0, 1.0], [1.0]])  # the same return, and where one lived on it earned what the other had
    assert is_uniform([])
    assert not is_uniform(SINGLE)
    assert not is_uniform([[0.0, 1.0], [1.0, 0.0]])  # the same return, earned at different turns


def test_a_turn_lived_alone_stays_bounded():
    # Both attempts return 1, so a deviation taken from whole returns alone would be 0 and blow the second turn up.
    found = advantages([[[1.0], [1.0, 0.0]]], "grpo")[0]
    assert flat(found) == pytest.approx([0.0, 0.0, -0.5 / (0.5**0.5 + 1e-4)])


def test_bad_input_is_refused():
    with pytest.raises(UnknownNameError, match="Did you mean 'grpo'"):
        advantages([SINGLE], "grpoo")
    with pytest.raises(UsageError, match="finite"):
        advantages([[[float("nan")], [1.0]]])
    with pytest.raises(UsageError, match=r"\[0, 1\]"):
        advantages([SINGLE], gamma=1.5)
