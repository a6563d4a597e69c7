"""A seat of an arena as an environment."""

import pytest
from palaestra.agents.rollout import play
from palaestra.agents.scripted import ConstantAgent, RandomAgent
from palaestra.envs import catalogue
from palaestra.envs.arena.world import ArenaWorld
from palaestra.envs.errors import UsageError
from palaestra.envs.verdict import Status


@pytest.fixture(scope="module")
def world() -> ArenaWorld:
    made = catalogue.make("kuhn_poker?explain=false")
    assert isinstance(made, ArenaWorld)
    return made


def test_each_task_is_a_game_and_its_demonstration_what_the_seat_did(world: ArenaWorld) -> None:
    seats = set()
    for task in list(world.tasks)[:60]:
        moves = list(world.demonstration(task))
        game = task.reference
        assert isinstance(game, dict)
        seats.add(game["seat"])
        observation, _ = world.reset(seed=1, options={"task": task})
        assert observation.startswith(f"You are {game['seat']}.")
        over = False
        for number, move in enumerate(moves, start=1):
            observation, reward, over, _, info = world.step(move)
            assert over == (number == len(moves))
        assert reward in (-2, -1, 1, 2)
        assert info["verdict"].reward == reward
        assert world.odds(task) == 0.5 ** len(moves)
    assert seats == {0, 1}


def test_the_others_play_on_at_random_when_the_agent_leaves_the_game_as_it_was(world: ArenaWorld) -> None:
    rewards = [play(world, RandomAgent(), task, seed=9).reward for task in list(world.tasks)[:200]]
    assert len(set(rewards)) >= 3
    task = world.tasks[0]
    assert (
        play(world, RandomAgent(), task, seed=3).digest() == play(world.clone(), RandomAgent(), task, seed=3).digest()
    )


def test_what_a_seat_is_told_is_text_that_a_record_takes(world: ArenaWorld) -> None:
    for seed in range(20):
        episode = play(world, RandomAgent(), seed=seed)
        assert {type(turn.observation) for turn in episode.turns} == {str}


def test_rubbish_loses(world: ArenaWorld) -> None:
    episode = play(world, ConstantAgent("fold"), world.tasks[0], seed=0)
    assert (episode.reward, episode.verdict.status) == (-2.0, Status.ILLEGAL)


def test_settings_are_those_of_the_arena() -> None:
    assert "Moves" in catalogue.make("tic_tac_toe").reset(seed=0)[0]
    with pytest.raises(UsageError, match="no parameter 'cards'"):
        catalogue.make("kuhn_poker?cards=5")
