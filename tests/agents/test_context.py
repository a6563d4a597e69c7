"""What an agent is told: within its budget, always the same, and seen by every kind of agent."""

import copy
import pickle

import numpy as np
import pytest
import small
from palaestra.agents.language import LanguageAgent
from palaestra.agents.local import LocalPolicy
from palaestra.agents.memory.context import Context, Recall
from palaestra.agents.memory.entry import Kind
from palaestra.agents.memory.memory import Memory
from palaestra.agents.memory.told import MeteredToldAgent, ToldAgent, with_context
from palaestra.agents.policy import Sampling
from palaestra.agents.rollout import Assignment, Rollout, play
from palaestra.agents.scripted import RandomAgent
from palaestra.agents.specs import load_agent
from palaestra.envs import make
from palaestra.envs.errors import UsageError

RECALL = Recall()


def context(recall=RECALL, instructions=""):
    memory = Memory()
    memory.add(Kind.INSIGHT, "ba=1", votes=1)
    memory.add(Kind.INSIGHT, "de=2", votes=3)
    memory.add(Kind.INSIGHT, "fi=3", votes=2)
    memory.add(Kind.SKILL, "x+1", key="add one")
    memory.add(Kind.EPISODE, "fi=3 go=4", key="decode fi go")
    return Context(instructions, memory, recall)


def test_what_is_nearest_is_told_first_then_what_has_most_votes():
    told = context(Recall(insights=3, skills=1, episodes=1), "Be brief.").tell("decode fi")
    assert told == ("Be brief.\n\nNotes:\nfi=3\nde=2\nba=1\n\nSolved before:\ndecode fi go\nfi=3 go=4\n\ndecode fi")
    assert context(Recall(insights=0, skills=1)).tell("add") == "Programs that work:\nadd one\nx+1\n\nadd"


def test_nothing_to_tell_changes_nothing():
    assert Context().tell("decode fi") == "decode fi"
    assert Context().empty
    assert not context().empty


def test_the_budget_is_kept_and_further_notes_come_first():
    recall = Recall(tokens=9, insights=3)
    count = len
    assert context(recall).tell("q", count) == "Notes:\nde=2\n\nq"
    assert context(recall).tell("q", count, notes=("go=9",)) == "Notes:\ngo=9\n\nq"
    assert context(Recall(tokens=0)).tell("q", count) == "q"
    assert context(recall).tell("q", count, notes=("too long to fit",)) == "Notes:\nde=2\n\nq"


def test_it_is_saved_whole_and_a_changed_file_is_noticed(tmp_path):
    saved = context(Recall(insights=2), "Be brief.")
    saved.save(tmp_path)
    again = Context.load(tmp_path)
    assert again.digest == saved.digest
    assert again.tell("decode fi") == saved.tell("decode fi")
    with Memory(tmp_path / "memory.sqlite") as memory:
        memory.vote(1)
    with pytest.raises(UsageError, match="damaged"):
        Context.load(tmp_path)
    with pytest.raises(UsageError, match="holds no context"):
        Context.load(tmp_path / "absent")


def test_a_file_that_was_overwritten_in_part_is_said_to_be_no_context(tmp_path):
    saved = context()
    for number in range(200):
        saved.memory.add(Kind.INSIGHT, f"note {number} " * 50)
    saved.save(tmp_path)
    file = tmp_path / "memory.sqlite"
    content = file.read_bytes()
    file.write_bytes(content[:4096] + b"\x99" * (len(content) - 4096))
    with pytest.raises(UsageError, match="holds no context"):
        Context.load(tmp_path)


def test_a_draft_is_apart_and_its_digest_follows_its_changes():
    present = context()
    draft = present.draft()
    assert draft.digest == present.digest
    draft.memory.add(Kind.INSIGHT, "go=4")
    assert draft.digest != present.digest
    assert len(present.memory.entries(Kind.INSIGHT)) == 3


def test_a_policy_reads_it_in_its_ids_and_the_record_says_what_the_world_said():
    policy = LocalPolicy(small.new_model(), small.character_tokenizer(), "small")
    agent = ToldAgent(LanguageAgent(policy, Sampling(max_tokens=3)), Context("Be."))
    world = make("arithmetic?digits=1&size=50&tries=3")
    episode = play(world, agent, seed=3)
    first = episode.turns[0]
    text = policy.tokenizer.decode(first.context_ids.tolist())
    assert first.observation == world.tasks.by_id(episode.task).prompt
    assert f"Be.\n\n{first.observation}" in text
    assert len(episode.turns) > 1
    assert all("Be." not in policy.tokenizer.decode(turn.context_ids.tolist()) for turn in episode.turns[1:])
    assert episode.policy == f"small+context@{agent.context.digest}"
    bare = play(world, ToldAgent(agent.agent, Context()), seed=3)
    plain = play(world, agent.agent, seed=3)
    assert bare.policy == plain.policy == "small"
    assert np.array_equal(bare.turns[0].context_ids, plain.turns[0].context_ids)


def test_a_served_model_hears_it_too(served):
    from note_reader import script

    server = served(script)
    book = make("codebook?code=1")
    agent = load_agent(f"http:m@{server.url}", sampling=Sampling(max_tokens=64))
    task = book.tasks[0]
    lessons = [f"{word}={digit}" for word, digit in book.book.items()]
    memory = Memory()
    for lesson in lessons:
        memory.add(Kind.INSIGHT, lesson)
    told = with_context(agent, Context("", memory))
    assert play(book, told, task).correct
    wrong = ToldAgent(
        agent, Context(), {task.id: tuple(f"{word}={(digit + 1) % 10}" for word, digit in book.book.items())}
    )
    assert not play(book, wrong, task).correct
    assert told.usage.answers == 2
    assert isinstance(told.with_sampling(Sampling()), MeteredToldAgent)


def test_notes_beside_are_for_their_task_alone(served):
    from note_reader import script

    server, book = served(script), make("codebook?code=1")
    tasks = book.tasks[:2]
    agent = ToldAgent(load_agent(f"http:m@{server.url}"), Context(), {tasks[0].id: ("ba=9",)})
    Rollout(agent, make=lambda _: book.clone()).play([Assignment(t.id, "codebook", t, 0) for t in tasks])
    heard = [request.body["messages"][-1]["content"] for request in server.heard]
    assert sorted("ba=9" in content for content in heard) == [False, True]


def test_agents_that_read_nothing_and_copies_play_on():
    agent = ToldAgent(RandomAgent(), context())
    assert agent.with_sampling(Sampling()).policy is None
    twin = pickle.loads(pickle.dumps(copy.copy(agent)))
    assert twin.name == agent.name
    assert play(make("arithmetic?size=50"), twin).valid
    with pytest.raises(UsageError, match="speaks for no policy"):
        agent.with_policy(None)


def test_settings_that_mean_nothing_are_refused():
    for wrong in ({"tokens": -1}, {"by": "meaning"}, {"encoder": "x"}):
        with pytest.raises(UsageError):
            Recall(**wrong)
