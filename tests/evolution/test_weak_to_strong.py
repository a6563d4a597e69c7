"""Labels of a weaker policy, and fine-tuning with confidence in one's own predictions."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from palaestra.agents.alphabet import build_tokenizer
from palaestra.agents.demonstrator import Demonstrator
from palaestra.agents.language import LanguageAgent
from palaestra.agents.local import LocalPolicy
from palaestra.agents.policy import Request, Sampling
from palaestra.agents.rollout import Assignment, Rollout
from palaestra.agents.specs import load_agent
from palaestra.envs.catalogue import make
from palaestra.envs.errors import UnknownNameError, UsageError
from palaestra.evolution.acquisition.weak_labels import WeakLabels
from palaestra.evolution.updating.confidence import ConfidentFinetune, confidence_at, hardened
from palaestra.evolution.updating.finetune import Finetune
from palaestra.evolution.updating.updater import Beginning
from palaestra.evolution.updating.weights import Snapshot
from palaestra.evolution.yard import Yard, refuse_held_out
from transformers import LlamaConfig, LlamaForCausalLM

JUDGING = "verify?level=1&sums=false&judged=1"
WORDS = ("right", "wrong")


def newborn(seed: int = 0) -> LanguageAgent:
    tokenizer = build_tokenizer(64)
    sizes = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=64, **sizes))
    return LanguageAgent(LocalPolicy(model, tokenizer, "tiny"), Sampling(max_tokens=8))


def labelled(agent: LanguageAgent, spec: str, **settings: object) -> list:
    return WeakLabels(**{"tasks": 20} | settings)(Yard(Rollout(agent), seed=0), spec, 1)


def trained(update: Finetune, agent: LanguageAgent, episodes: list, folder: Path) -> tuple[dict, dict]:
    updater = update.start(agent.policy, Beginning(3, 1, Sampling(max_tokens=8), folder / "scratch"))
    figures = updater.step(episodes)
    return {name: weight.detach().clone() for name, weight in agent.policy.model.named_parameters()}, figures


def test_judging_alone_asks_the_same_questions() -> None:
    both, alone = make("verify?level=1"), make("verify?level=1&sums=false")
    assert {task.reference for task in alone.tasks} == set(WORDS)
    assert [t.fingerprint for t in alone.tasks] == [t.fingerprint for t in both.tasks if "question" in t.metadata]


def test_a_label_is_what_the_weak_one_says_in_the_ids_of_the_strong() -> None:
    agent = newborn()
    episodes = labelled(agent, JUDGING, weak="scripted:constant?text=wrong")
    assert len(episodes) == 20
    assert {e.turns[0].reply for e in episodes} == {"wrong"}
    assert Counter(e.correct for e in episodes)[True] > 3 < Counter(e.correct for e in episodes)[False]
    for episode in episodes:
        said = agent.policy.tokenizer.decode(episode.rows()[0].ids)
        assert said.endswith("<|assistant|>wrong<|end|>")
        assert episode.demonstrated
    refuse_held_out(episodes)
    true = labelled(agent, JUDGING, weak="scripted:constant?text=wrong", labels="right")
    assert all(e.correct for e in true)
    assert [e.fingerprint for e in true] == [e.fingerprint for e in episodes]


def test_tasks_the_weak_one_knows_are_left_out() -> None:
    env = make(JUDGING)
    known = {task.fingerprint for task in env.tasks[:60]}
    episodes = labelled(newborn(), JUDGING, weak="scripted:random", skip=60)
    assert not {e.fingerprint for e in episodes} & known
    with pytest.raises(UsageError, match=r"lower acquire\.skip"):
        labelled(newborn(), JUDGING, weak="scripted:random", skip=10_000)
    with pytest.raises(UsageError, match="arena"):
        WeakLabels("scripted:random").require("nim")


def test_a_script_that_lacks_a_task_says_so() -> None:
    env = make(JUDGING)
    with pytest.raises(UsageError, match="no demonstration"):
        Demonstrator(newborn(), {}).enter(env, env.tasks[0], 0)


def test_confidence_rises_and_then_stays() -> None:
    found = [confidence_at(step, 20, 0.5, 0.1) for step in range(4)]
    assert found == [0.0, 0.25, 0.5, 0.5]
    assert confidence_at(0, 20, 0.5, 0.0) == 0.5


def test_as_many_are_predicted_as_are_labelled() -> None:
    assert hardened(np.array([-1.0, -3.0, -2.0, -9.0]), 2).tolist() == [True, False, True, False]
    assert not hardened(np.array([5.0, 6.0]), 0).any()
    assert hardened(np.array([-5.0, -6.0]), 2).all()


def test_without_confidence_it_is_fine_tuning(tmp_path: Path) -> None:
    episodes = labelled(newborn(), JUDGING, weak="scripted:oracle")
    settings = {"epochs": 2, "batch_rows": 8}
    plain, _ = trained(Finetune(**settings), newborn(), episodes, tmp_path)
    naive, _ = trained(ConfidentFinetune(confidence=0.0, **settings), newborn(), episodes, tmp_path)
    assert all(torch.equal(plain[name], naive[name]) for name in plain)


def test_the_loss_is_that_against_the_mixed_label(tmp_path: Path) -> None:
    """One optimiser step on one row that is labelled `wrong`, while the first of the two is predicted for none."""
    agent = newborn()
    episode = labelled(agent, JUDGING, weak="scripted:constant?text=wrong", tasks=1)[0]
    ids = episode.turns[0].context_ids.tolist()
    tokens = len(episode.turns[0].reply_ids)

    def nats(reply: list[int]) -> float:
        with torch.no_grad():
            logits = agent.policy.model(torch.tensor([ids + reply])).logits[0, len(ids) - 1 : -1]
            return -float(logits.log_softmax(-1).gather(1, torch.tensor(reply)[:, None]).sum())

    label = episode.turns[0].reply_ids.tolist()
    free = agent.with_sampling(Sampling(max_tokens=8, temperature=0.0))
    own = free.policy.sample([Request(np.array(ids, np.int32), free.sampling, 0)])[0].ids.tolist()
    expected = (0.7 * nats(label) + 0.3 * nats(own)) / tokens
    settings = {"confidence": 0.3, "warm_up": 0.0, "learning_rate": 1e-3}
    _, figures = trained(ConfidentFinetune(**settings), agent, [episode], tmp_path)
    assert own != label
    assert figures["loss"] == pytest.approx(expected, rel=1e-4)
    # Where the task decides between two words, all that are labelled `wrong` are predicted so: label and prediction
    # agree, and the loss is the label's.
    agent = newborn()
    _, figures = trained(ConfidentFinetune(answers=WORDS, **settings), agent, [episode], tmp_path)
    agent = newborn()
    assert figures["loss"] == pytest.approx(nats(label) / tokens, rel=1e-4)


def test_confidence_resists_labels_that_are_wrong(tmp_path: Path) -> None:
    """A policy that knows 60 answers is taught them with 12 turned round; with confidence it keeps more of them."""
    true = labelled(newborn(), JUDGING, weak="scripted:oracle", tasks=60)
    turned = [e.id for word in WORDS for e in [e for e in true if e.turns[0].reply == word][:6]]
    swap = dict(zip(WORDS, reversed(WORDS), strict=True))
    script = {e.fingerprint: [swap[e.turns[0].reply] if e.id in turned else e.turns[0].reply] for e in true}
    learner = newborn()
    rollout = Rollout(learner)
    tasks = [Assignment(e.id, e.env, rollout.env(e.env).tasks.by_id(e.task), e.seed) for e in true]
    noisy = rollout.played_by(Demonstrator(learner, script)).play(tasks)
    greedy = rollout.played_by(learner.with_sampling(Sampling(max_tokens=8, temperature=0.0)))
    trained(Finetune(epochs=150, batch_rows=60, learning_rate=5e-3), learner, true, tmp_path)
    assert sum(e.correct for e in greedy.play(tasks)) == 60
    knows, right = Snapshot(learner.policy.model), dict[float, int]()
    for confidence in (0.0, 0.75):
        knows.write_back()
        update = ConfidentFinetune(
            confidence=confidence, warm_up=0.0, answers=WORDS, epochs=20, batch_rows=60, learning_rate=2e-3
        )
        trained(update, learner, noisy, tmp_path)
        right[confidence] = sum(e.correct for e in greedy.play(tasks))
    assert right[0.75] > right[0.0]


def test_what_cannot_be_mixed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="two that differ"):
        ConfidentFinetune(answers=("right",))
    with pytest.raises(UsageError, match="share"):
        ConfidentFinetune(confidence=1.5)
    agent = newborn()
    twice = labelled(agent, "arithmetic?digits=1&tries=2", weak="scripted:constant?text=0", tasks=3)
    with pytest.raises(UsageError, match="several turns"):
        trained(ConfidentFinetune(), agent, twice, tmp_path)
    trained(ConfidentFinetune(confidence=0.0), agent, twice, tmp_path)  # as the error says


def test_a_spec_may_change_how_a_policy_is_born() -> None:
    with pytest.raises(UnknownNameError, match="hidden_sise"):
        load_agent("nursery:arithmetic?plan.hidden_sise=3")
    with pytest.raises(UsageError, match=r"plan\.layers"):
        load_agent("nursery:arithmetic?plan.layers=few")
    with pytest.raises(UsageError, match="too hard"):
        load_agent("nursery:arithmetic?plan.hidden_size=16&plan.heads=2&plan.most_steps=1")
