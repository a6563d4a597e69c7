"""Our environments in TRL's own `GRPOTrainer`: its steps, its loss, our episodes."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from datasets import Dataset
from palaestra.agents.alphabet import build_tokenizer
from palaestra.envs.catalogue import make
from palaestra.envs.errors import UsageError
from palaestra.envs.verdict import Status
from palaestra.evolution.adapters.trl_environment import TrlEnvironment, trl_environment_factory
from palaestra.evolution.adapters.trl_rollout import TrlRollout, reward_of_episode
from palaestra.evolution.adapters.trl_tasks import tasks_for_trl
from transformers import LlamaConfig, LlamaForCausalLM

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")

SPEC = "GuessNumber?high=4&guesses=3"


def beginner(tokenizer, positions=512, seed=0, **sizes):
    kinds = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2} | sizes
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=positions, **kinds)
        config.eos_token_id = config.pad_token_id = config.bos_token_id = None
        model = LlamaForCausalLM(config)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return model


def settings(folder, **changes):
    from trl import GRPOConfig

    usual = {"max_completion_length": 6, "max_steps": 2, "num_generations": 4, "per_device_train_batch_size": 8}
    return GRPOConfig(
        output_dir=str(folder),
        use_cpu=True,
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
        logging_steps=1,
        learning_rate=1e-2,
        bf16=False,
        gradient_checkpointing=False,
        **usual | changes,
    )


class Watching(TrlRollout):
    """Keeps what each call returned."""

    def __init__(self, *given):
        super().__init__(*given)
        self.kept = []

    def __call__(self, prompts, trainer):
        returned = super().__call__(prompts, trainer)
        self.kept.append((list(self.episodes), copy.deepcopy(returned)))
        return returned


def trained(tmp_path, rollout, spec=SPEC, size=8):
    from trl import GRPOTrainer

    tokenizer = build_tokenizer(512)
    model = beginner(tokenizer)
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=reward_of_episode,
        args=settings(tmp_path),
        train_dataset=tasks_for_trl(spec, size),
        processing_class=tokenizer,
        rollout_func=rollout,
    )
    trainer.train()
    moved = max(float((weight.detach() - before[name]).abs().max()) for name, weight in model.named_parameters())
    return trainer, moved


def test_trl_trains_on_the_ids_that_were_sampled(tmp_path):
    rollout = Watching(SPEC, 3)
    trainer, moved = trained(tmp_path, rollout)
    assert trainer.state.global_step == 2
    # A beginner guesses nothing right, so nothing is learned either; that the step is TRL's is what counts here.
    assert np.isfinite(moved)
    assert len(rollout.kept) == 2
    for episodes, returned in rollout.kept:
        assert len(episodes) == 8
        groups = [episode.group for episode in episodes]
        assert groups == [groups[0]] * 4 + [groups[4]] * 4
        assert len({episode.seed for episode in episodes}) == 8
        for number, episode in enumerate(episodes):
            (row,) = episode.rows()
            prompt, reply = returned["prompt_ids"][number], returned["completion_ids"][number]
            assert [*prompt, *reply] == row.ids.tolist()
            mask = np.array(returned["env_mask"][number], bool)
            assert np.array_equal(mask, row.turn[len(prompt) :] >= 0)
            assert int(mask.sum()) == episode.tokens
            assert np.allclose(
                np.array(returned["logprobs"][number])[mask], np.concatenate([t.logprobs for t in episode.turns])
            )
            assert returned["episode_reward"][number] == episode.reward


def test_processes_that_share_a_group_draw_apart():
    tokenizer = build_tokenizer(512)
    model = beginner(tokenizer)
    args = SimpleNamespace(max_completion_length=4, temperature=1.0, top_k=0, top_p=1.0)
    seeds, prompts = set(), list(tasks_for_trl(SPEC, 1)["prompt"]) * 4
    for process in range(2):
        accelerator = SimpleNamespace(unwrap_model=lambda model: model, process_index=process)
        trainer = SimpleNamespace(
            model=model,
            processing_class=tokenizer,
            args=args,
            accelerator=accelerator,
            state=SimpleNamespace(global_step=0),
        )
        rollout = TrlRollout(SPEC, 3)
        rollout(prompts, trainer)
        seeds |= {episode.seed for episode in rollout.episodes}
    assert len(seeds) == 8


def test_rewards_move_the_weights(tmp_path):
    """Paid for what it says by chance, so that there is something to learn."""
    rollout = Watching("GuessNumber?high=4&guesses=3", 3)

    def length(completion_ids, **others):
        return [float(len(ids) % 3) for ids in completion_ids]

    from trl import GRPOTrainer

    tokenizer = build_tokenizer(512)
    model = beginner(tokenizer)
    before = model.lm_head.weight.detach().clone()
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=[reward_of_episode, lambda prompts, completion_ids, **others: length(completion_ids)],
        args=settings(tmp_path),
        train_dataset=tasks_for_trl(SPEC, 8),
        processing_class=tokenizer,
        rollout_func=rollout,
    )
    trainer.train()
    assert float((model.lm_head.weight.detach() - before).abs().max()) > 0


def test_what_fails_reaches_neither_a_mean_nor_a_loss(tmp_path):
    import gymnasium
    from failing_world import FailingWorld

    if "palaestra-tests/Failing-v0" not in gymnasium.registry:
        gymnasium.register("palaestra-tests/Failing-v0", entry_point=FailingWorld)

    class Always(Watching):
        """Half of the episodes fail, whatever was said."""

        def __call__(self, prompts, trainer):
            env = self._rollout.env(self.spec) if self._rollout else None
            if env is None:
                super().__call__(prompts, trainer)
                env = self._rollout.env(self.spec)
                self.kept.clear()
            FailingWorld.step = sometimes
            return super().__call__(prompts, trainer)

    usual, steps = FailingWorld.step, []

    def sometimes(self, action):
        steps.append(action)
        return usual(self, "break" if len(steps) % 2 else "right" if len(steps) % 4 else "wrong")

    rollout = Always("palaestra-tests/Failing-v0", 0)
    try:
        trainer, moved = trained(tmp_path, rollout, "palaestra-tests/Failing-v0")
    finally:
        FailingWorld.step = usual
    for episodes, returned in rollout.kept:
        for number, episode in enumerate(episodes):
            assert (returned["episode_reward"][number] is None) == (not episode.valid)
            assert any(returned["env_mask"][number]) == episode.valid
        assert {episode.verdict.status for episode in episodes} == {Status.CORRECT, Status.WRONG, Status.INFRASTRUCTURE}
    assert moved > 0
    # Each group has one right and one wrong valid episode: its mean would be 0.25 if failures counted as 0.
    logged = [entry["reward"] for entry in trainer.state.log_history if "reward" in entry]
    assert logged == pytest.approx([0.5, 0.5])


def test_prompts_that_name_no_task_are_refused(tmp_path):
    from trl import GRPOTrainer

    tokenizer = build_tokenizer(512)
    trainer = GRPOTrainer(
        model=beginner(tokenizer),
        reward_funcs=reward_of_episode,
        args=settings(tmp_path),
        train_dataset=Dataset.from_dict({"prompt": ["1 + 1"] * 8}),
        processing_class=tokenizer,
        rollout_func=TrlRollout(SPEC),
    )
    with pytest.raises(UsageError, match="must name its task"):
        trainer.train()


def test_the_data_set_holds_nothing_out():
    rows = tasks_for_trl("arithmetic?level=1")
    env = make("arithmetic?level=1")
    assert rows["task"] == [task.id for task in env.tasks.split().train]
    assert rows[0]["prompt"] == [{"role": "user", "content": "", "task": rows[0]["task"]}]


def test_a_world_as_trl_knows_it():
    build = trl_environment_factory(SPEC, seed=1)
    first, second = build(), build()
    task = make(SPEC).tasks[0]
    told = first.reset(task=task.id, prompt=[])
    assert "1 to 4" in told or "between" in told
    assert second.reset(task=task.id) == told
    assert first.get_reward() == 0.0
    for guess in "1234":
        first.act(guess)
    assert first.get_reward() in (0.0, 1.0)
    second.act(str(task.reference))
    assert second.get_reward() == 1.0
    assert second.act("1") == "The episode is over."
    first.reset(task=task.id)
    assert first.get_reward() == 0.0


def test_a_failure_is_never_a_reward_of_trls():
    from failing_world import FailingWorld

    for word in ("break", "raise"):
        world = TrlEnvironment(FailingWorld(), 0)
        world.reset()
        assert world.act(word) == ("" if word == "break" else "The world failed.")
        assert world.get_reward() is None
    failed = world._env
    world.reset()
    assert world._env is not failed, "what raised may be in any state"
    world.act("right")
    assert world.get_reward() == 1.0
    kept = world._env
    world.reset()
    assert world._env is kept

    class Closed(FailingWorld):
        def begin(self, task):
            raise OSError("it cannot begin")

    world = TrlEnvironment(Closed(), 0)
    assert world.reset() == "The world failed."
    assert world.act("right") == "The episode is over."
    assert world.get_reward() is None
    with pytest.raises(UsageError, match="has no task"):
        world.reset(task="of another world")


CALL = '<tool_call>\n{"name": "act", "arguments": {"action": "2"}}\n</tool_call>'


def test_trl_lets_a_model_act_by_the_tool(tmp_path):
    from pathlib import Path

    import trl
    from trl import GRPOTrainer

    tokenizer = build_tokenizer(4096)
    tokenizer.chat_template = (Path(trl.__file__).parent / "chat_templates" / "qwen3.jinja").read_text()
    model = beginner(tokenizer, 4096)
    said = [*tokenizer.encode(CALL, add_special_tokens=False), tokenizer.eos_token_id]

    built = []

    def factory():
        built.append(trl_environment_factory(SPEC, seed=5)())
        return built[-1]

    class Calling(GRPOTrainer):
        """A model of random weights calls no tool, so its first words are put into its mouth; all else is TRL's."""

        def _generate_single_turn(self, prompt_ids, *given, **named):
            ids, logprobs = super()._generate_single_turn(prompt_ids, *given, **named)
            if named.get("num_generations") != 1:
                ids = [list(said) for _ in ids]
                logprobs = None if logprobs is None else [[0.0] * len(said) for _ in ids]
            return ids, logprobs

    trainer = Calling(
        model=model,
        args=settings(tmp_path, max_completion_length=300, max_tool_calling_iterations=1),
        train_dataset=tasks_for_trl(SPEC, 8),
        processing_class=tokenizer,
        environment_factory=factory,
    )
    trainer.train()
    logged = [entry for entry in trainer.state.log_history if "reward" in entry]
    assert len(logged) == 2
    assert [entry["tools/call_frequency"] for entry in logged] == [1.0, 1.0]
    assert all(entry["tools/failure_frequency"] == 0.0 for entry in logged)
    assert len(built) == 8
    # Each has heard the guess of 2, and was right where that was the secret.
    for world in built:
        assert world.get_reward() == float(world._env.task.reference == 2)
