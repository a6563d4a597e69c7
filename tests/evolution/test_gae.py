"""Advantages worked out by hand, and a critic on a chain whose values are known."""

import numpy as np
import pytest
from palaestra.agents.episode import Episode, Turn
from palaestra.agents.policy import FinishReason
from palaestra.envs.errors import ShapeError, UsageError
from palaestra.envs.seeding import derive_generator
from palaestra.envs.verdict import Status, Verdict
from palaestra.evolution.updating.batching import assemble
from palaestra.evolution.updating.critic import Critic, Lesson, clipped_value_loss
from palaestra.evolution.updating.gae import generalised_advantages, steps_of
from palaestra.evolution.updating.scorer import ScorerTraining
from tiny import tiny_policy
from torch import tensor


def advantages(rewards, values, ends, gamma, decay):
    found = generalised_advantages(np.array(rewards, float), np.array(values, float), np.array(ends), gamma, decay)
    return found.tolist()


def test_advantages_are_those_worked_out_by_hand():
    # Backwards: d_2 = 1 - 0.3 = 0.7; d_1 = 0.9 * 0.3 - 0.4 = -0.13; d_0 = 0.9 * 0.4 - 0.5 = -0.14;
    # A_1 = -0.13 + 0.45 * 0.7 = 0.185; A_0 = -0.14 + 0.45 * 0.185 = -0.05675.
    found = advantages([0, 0, 1], [0.5, 0.4, 0.3], [False, False, True], 0.9, 0.5)
    assert found == pytest.approx([-0.05675, 0.185, 0.7])


def test_nothing_leaks_from_one_episode_into_the_one_before():
    ends = [False, True, False, False, True]
    found = advantages([1, 2, 0, 0, 5], [0.1, 0.2, 0.3, 0.4, 0.5], ends, 0.9, 0.7)
    alone = advantages([1, 2], [0.1, 0.2], [False, True], 0.9, 0.7)
    assert found[:2] == alone


def test_the_decay_goes_from_one_step_to_the_whole_return():
    rewards, values, ends = [1.0, 2.0, 3.0], [0.5, 0.25, 0.125], [False, False, True]
    assert advantages(rewards, values, ends, 0.5, 0.0) == [1 + 0.125 - 0.5, 2 + 0.0625 - 0.25, 3 - 0.125]
    assert advantages(rewards, values, ends, 0.5, 1.0) == [1 + 1 + 0.75 - 0.5, 2 + 1.5 - 0.25, 3 - 0.125]


def test_what_is_no_step_is_refused():
    with pytest.raises(ShapeError, match="3, 2, 3"):
        generalised_advantages(np.zeros(3), np.zeros(2), np.zeros(3, bool), 1.0, 1.0)
    with pytest.raises(UsageError, match="finite"):
        advantages([np.nan], [0.0], [True], 1.0, 1.0)
    with pytest.raises(UsageError, match="decay"):
        advantages([0.0], [0.0], [True], 1.0, 1.5)


def test_tokens_and_turns_are_divided_into_steps():
    # Episode 0 says two tokens, then one; episode 1 one, then three.
    episodes, turns = np.array([0, 0, 0, 1, 1, 1, 1]), np.array([0, 0, 1, 0, 1, 1, 1])
    by_token = steps_of(episodes, turns, "token")
    assert by_token.ends.tolist() == [False, False, True, False, False, False, True]
    assert by_token.pays.tolist() == [False, True, True, True, False, False, True]
    by_turn = steps_of(episodes, turns, "turn")
    assert by_turn.first.tolist() == [0, 2, 3, 4]
    assert by_turn.ends.tolist() == [False, True, False, True]
    assert by_turn.of_token.tolist() == [0, 0, 1, 2, 3, 3, 3]
    assert by_turn.pays.all()
    assert len(steps_of(episodes[:0], turns[:0], "turn").first) == 0


def test_the_clipped_value_loss_is_the_worse_of_both():
    values, before, targets = tensor([1.0, 1.0, 0.1]), tensor([0.0, 0.0, 0.0]), tensor([1.0, -1.0, 1.0])
    # Kept within 0.2 of 0: 0.2, 0.2, 0.1. Errors: 0 or 0.8; 2 or 1.2; 0.9 or 0.9.
    assert clipped_value_loss(values, before, targets, 0.2).tolist() == pytest.approx([0.32, 2.0, 0.405])


ACTION, WALK = 11, 5


def walk(generator, number):
    """A drunkard on places 1 to 5; past 5 pays 1, past 0 nothing. Place p is token p + 2; the policy always says j."""
    place, turns = int(generator.integers(1, WALK + 1)), []
    while 1 <= place <= WALK:
        context = np.array([place + 1], np.int32)
        place += int(generator.choice([-1, 1]))
        said = np.array([ACTION], np.int32), np.zeros(1, np.float32)
        turns.append(Turn("", "", "", float(place > WALK), None, context, False, *said, FinishReason.STOP))
    verdict = Verdict(turns[-1].reward, Status.PARTIAL)
    return Episode(f"e{number}", "walk", "t", "f", "g", 0, 0, "p", tuple(turns), verdict)


@pytest.mark.parametrize("decay", [1.0, 0.8])
def test_a_critic_learns_the_values_of_a_random_walk(decay):
    """From place p of 5 the right end is reached before the left one with probability p / 6."""
    policy, generator = tiny_policy(), derive_generator(0, "walk")
    critic, expected = Critic(ScorerTraining(policy, 3e-3, 1024), 1024, 0), []
    for step in range(60):
        episodes = [walk(generator, i) for i in range(32)]
        batch = assemble(episodes)
        rows, at = np.nonzero(batch.sampled)
        steps = steps_of(batch.owners[rows], batch.turns[rows, at], "turn")
        before = critic.values(batch)
        values = before[rows, at]
        rewards = np.array([turn.reward for episode in episodes for turn in episode.turns])
        targets = np.zeros(before.shape)
        targets[rows, at] = values + generalised_advantages(rewards, values, steps.ends, 1.0, decay)
        lesson = Lesson(batch.sampled == 1, targets, before)
        critic.learn(batch, lesson, clip=0.5, updates=1, epochs=4, step=step)
        places = batch.ids[rows, at - 1] - 1
        expected.append([values[places == place].mean() for place in range(1, WALK + 1)])
    # One batch is 32 walks, which the critic follows closely: it is right on average over many.
    found = np.mean(expected[-40:], axis=0)
    assert found == pytest.approx([place / 6 for place in range(1, WALK + 1)], abs=0.05)
