import numpy as np
import pytest
import torch
from palaestra.agents.episode import Episode, Turn
from palaestra.agents.policy import FinishReason
from palaestra.envs.errors import ShapeError
from palaestra.envs.verdict import Status, Verdict
from palaestra.evolution.updating.batching import assemble

CPU = torch.device("cpu")


def turn(context, reply, *, continues=False):
    logprobs = -np.arange(1, len(reply) + 1, dtype=np.float32)
    context, reply = np.array(context, np.int32), np.array(reply, np.int32)
    return Turn("", "", "", 0.0, None, context, continues, reply, logprobs, FinishReason.STOP, 0)


def episode(*turns, name="e"):
    return Episode(name, "env", "t", "f", "g", 0, 0, "p", tuple(turns), Verdict(1.0, Status.CORRECT))


# An append-only conversation of two turns (5 is the environment's), a short one, and a rewritten context.
TALK = episode(turn([1, 2], [3, 4]), turn([5], [6], continues=True))
SHORT = episode(turn([7], [8]))
REWRITTEN = episode(turn([1], [2]), turn([9, 9, 9], [3]))


def test_rows_are_laid_out_as_recorded():
    batch = assemble([TALK, SHORT, REWRITTEN], [np.array([0.5, -1.0]), np.array([2.0]), np.array([3.0, 4.0])])
    assert batch.ids.tolist() == [[1, 2, 3, 4, 5, 6], [7, 8, 0, 0, 0, 0], [1, 2, 0, 0, 0, 0], [9, 9, 9, 3, 0, 0]]
    assert batch.sampled.tolist() == [[0, 0, 1, 1, 0, 1], [0, 1, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0], [0, 0, 0, 1, 0, 0]]
    assert batch.advantages.tolist() == [
        [0, 0, 0.5, 0.5, 0, -1],
        [0, 2, 0, 0, 0, 0],
        [0, 3, 0, 0, 0, 0],
        [0, 0, 0, 4, 0, 0],
    ]
    assert batch.logprobs.tolist() == [
        [0, 0, -1, -2, 0, -1],
        [0, -1, 0, 0, 0, 0],
        [0, -1, 0, 0, 0, 0],
        [0, 0, 0, -1, 0, 0],
    ]
    assert batch.lengths.tolist() == [6, 2, 2, 4]
    assert batch.starts.tolist() == [2, 1, 1, 3]
    assert batch.tokens == 6


def test_policy_gradient_inputs_split_at_the_shortest_prompt_and_end_with_the_longest_row():
    batch = assemble([TALK, SHORT, REWRITTEN], [np.array([0.5, -1.0]), np.array([2.0]), np.array([3.0, 4.0])])
    found = {k: v.tolist() for k, v in batch.policy_gradient(np.array([3, 0]), CPU).items()}
    assert found == {
        "prompt_ids": [[9, 9], [1, 2]],
        "prompt_mask": [[1, 1], [1, 1]],
        "completion_ids": [[9, 3, 0, 0], [3, 4, 5, 6]],
        "completion_mask": [[1, 1, 0, 0], [1, 1, 1, 1]],
        "tool_mask": [[0, 1, 0, 0], [1, 1, 0, 1]],
        "advantages": [[0, 4, 0, 0], [0.5, 0.5, 0, -1]],
        "old_per_token_logps": [[0, -1, 0, 0], [-1, -2, 0, -1]],
    }


def test_next_token_inputs():
    found = {k: v.tolist() for k, v in assemble([TALK, SHORT]).next_token(np.array([1, 0]), CPU).items()}
    assert found == {
        "input_ids": [[7, 8, 0, 0, 0, 0], [1, 2, 3, 4, 5, 6]],
        "attention_mask": [[1, 1, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1]],
        "labels": [[-100, 8, -100, -100, -100, -100], [-100, -100, 3, 4, -100, 6]],
    }


def test_informative_rows_and_splits():
    batch = assemble([TALK, SHORT, REWRITTEN], [np.array([0.0, 0.0]), np.array([2.0]), np.array([0.0, 4.0])])
    assert batch.informative.tolist() == [1, 3]
    assert [part.tolist() for part in batch.split(np.array([0, 1, 2, 3]), 3)] == [[1, 2], [3, 0]]
    assert [part.tolist() for part in batch.split(np.array([0, 1, 2, 3]), 4)] == [[1, 2, 3, 0]]


def test_without_sampled_ids_there_is_no_row():
    scripted = episode(Turn("", "", "", 0.0))
    assert assemble([scripted]).ids.shape[0] == 0
    assert assemble([]).tokens == 0
    assert assemble([scripted, SHORT], [np.array([9.0]), np.array([2.0])]).advantages.tolist() == [[0.0, 2.0]]


def test_bad_input_is_refused():
    with pytest.raises(ShapeError, match="one advantage a turn"):
        assemble([TALK], [np.array([1.0])])
    with pytest.raises(ShapeError, match="Row 1 begins with a sampled id"):
        assemble([SHORT, episode(turn([], [3]))])
