"""What the whole stack costs over the bare model, and what slow worlds cost everybody else.

    python benchmarks/rollout.py

1. Sampled tokens/s of `Rollout.play` (prompt, chat template, sampling, parsing, judge, episode record) over those of
   transformers' `generate` on the same prompts, with the same model, batch and temperature; interleaved in one run.
   Predicted: 0.95 for long replies and about 1 for short ones, because the token loop saves on groups and early ends
   what the episodes cost. Target: at least 0.9.
2. Sampled tokens/s in a world of several turns where 5 % of the steps take 50 times longer, over the same world
   without stragglers. Predicted: 0.9. Target: at least 0.8.
3. Sampled tokens/s where one context in eight is 25 times longer, over the same contexts in one padded batch.
   Predicted: 2, because nearly all that is read is padding. Target: at least 1.5.

Came: as predicted for distinct prompts; groups gain more than expected, because their prompt is most of the work; and
stragglers cost less, because sampling, not waiting, fills the time.
"""

import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from palaestra.agents.alphabet import build_tokenizer
from palaestra.agents.language import LanguageAgent
from palaestra.agents.local import LocalPolicy
from palaestra.agents.nursery import born
from palaestra.agents.policy import Request, Sampling
from palaestra.agents.rollout import Assignment, Rollout
from palaestra.envs.task import Task, TaskSet
from palaestra.envs.text_env import Info, TextEnv
from palaestra.envs.verdict import Status, Verdict
from record import keep
from transformers import LlamaConfig, LlamaForCausalLM

PROMPTS = 256
REPEATS = 9
STEP_SECONDS = 0.002
ENV = "palaestra/Arithmetic-v0"


def random_policy(hidden: int, layers: int) -> LocalPolicy:
    """Return a policy of random weights, which talks until its limit."""
    tokenizer = build_tokenizer(1024)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=4 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 32,
        max_position_embeddings=1024,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return LocalPolicy(LlamaForCausalLM(config), tokenizer, "random")


def bare(policy: LocalPolicy, prompts: list[str], max_tokens: int) -> int:
    """Sample with transformers alone and return the number of tokens."""
    chats = [[{"role": "user", "content": prompt}] for prompt in prompts]
    inputs = policy.tokenizer.apply_chat_template(
        chats, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True
    )
    with torch.inference_mode():
        out = policy.model.generate(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            max_new_tokens=max_tokens,
            do_sample=True,
            temperature=1.0,
            top_k=0,
        )
    replies = out[:, inputs["input_ids"].shape[1] :]
    ended = (replies == policy.tokenizer.eos_token_id).cumsum(1)
    return int(((ended - (replies == policy.tokenizer.eos_token_id).long()) == 0).sum())


def stack(rollout: Rollout, tasks: list[Task], seed: int) -> int:
    """Play the tasks and return the number of tokens sampled."""
    plan = [Assignment(f"{seed}/{i}", ENV, task, seed=seed * PROMPTS + i) for i, task in enumerate(tasks)]
    return sum(episode.tokens for episode in rollout.play(plan))


def rate(work: Callable[[], int]) -> float:
    """Return units of work a second."""
    began = time.perf_counter()
    done = work()
    return done / (time.perf_counter() - began)


def against_generate(policy: LocalPolicy, max_tokens: int, group: int) -> dict[str, float]:
    """Measure both, interleaved; the ratio is the median of the pairs' ratios."""
    rollout = Rollout(LanguageAgent(policy, Sampling(max_tokens=max_tokens)))
    arithmetic = rollout.env(ENV).tasks
    tasks = [arithmetic[i // group] for i in range(PROMPTS)]
    prompts = [task.prompt for task in tasks]
    stack(rollout, tasks, 99)
    bare(policy, prompts, max_tokens)
    pairs = [
        (rate(partial(stack, rollout, tasks, seed)), rate(partial(bare, policy, prompts, max_tokens)))
        for seed in range(REPEATS)
    ]
    return {
        "stack_tokens_per_second": statistics.median(ours for ours, _ in pairs),
        "generate_tokens_per_second": statistics.median(theirs for _, theirs in pairs),
        "ratio": statistics.median(ours / theirs for ours, theirs in pairs),
        "worst_ratio": min(ours / theirs for ours, theirs in pairs),
    }


class Waiting(TextEnv):
    """Four turns, each of which waits as a service would; some wait much longer.

    Args:
        share: Share of the steps that take 50 times longer.
    """

    metadata = {**TextEnv.metadata, "instant": False}  # noqa: RUF012

    def __init__(self, share: float) -> None:
        super().__init__(TaskSet([Task(f"{i}", f"{i}: go on") for i in range(512)]))
        self.share = share

    def begin(self, task: Task) -> str:
        """See `TextEnv`."""
        self.left = 4
        return task.prompt

    def step(self, action: str) -> tuple[str, float, bool, bool, Info]:
        """Wait, and go on whatever was said."""
        del action
        slow = self.np_random.random() < self.share
        time.sleep(STEP_SECONDS * (50 if slow else 1))
        self.left -= 1
        return "and", 0.0, self.left == 0, False, self.outcome(Verdict(0.0, Status.PARTIAL))


def with_stragglers(policy: LocalPolicy) -> dict[str, float]:
    """Measure the same episodes with and without stragglers, interleaved."""

    def played(share: float, seed: int) -> int:
        env = Waiting(share)
        rollout = Rollout(LanguageAgent(policy, Sampling(max_tokens=16)), in_flight=256, make=lambda _: env)
        plan = [Assignment(f"{i}", "waiting", task, seed=seed * 10_000 + i) for i, task in enumerate(env.tasks)]
        return sum(episode.tokens for episode in rollout.play(plan))

    played(0.0, 99)
    pairs = [(rate(partial(played, 0.05, seed)), rate(partial(played, 0.0, seed))) for seed in range(REPEATS)]
    return {
        "straggling_tokens_per_second": statistics.median(slow for slow, _ in pairs),
        "steady_tokens_per_second": statistics.median(steady for _, steady in pairs),
        "ratio": statistics.median(slow / steady for slow, steady in pairs),
        "worst_ratio": min(slow / steady for slow, steady in pairs),
    }


def mixed_lengths(policy: LocalPolicy) -> dict[str, float]:
    """Sample the same contexts in batches by length and in one batch, interleaved."""
    generator = np.random.default_rng(0)
    lengths = [500 if i % 8 == 0 else 20 for i in range(PROMPTS // 2)]
    contexts = [generator.integers(10, 90, length).astype(np.int32) for length in lengths]
    usual = policy.step_tokens, policy.batch_bytes

    def sampled(seed: int, *, apart: bool) -> int:
        policy.step_tokens, policy.batch_bytes = usual if apart else (float("inf"), 2**40)
        requests = [Request(context, Sampling(max_tokens=16), seed + i) for i, context in enumerate(contexts)]
        return sum(len(sample.ids) for sample in policy.sample(requests))

    pairs = [(rate(partial(sampled, i, apart=True)), rate(partial(sampled, i, apart=False))) for i in range(REPEATS)]
    policy.step_tokens, policy.batch_bytes = usual
    return {
        "by_length_tokens_per_second": statistics.median(apart for apart, _ in pairs),
        "one_batch_tokens_per_second": statistics.median(together for _, together in pairs),
        "ratio": statistics.median(apart / together for apart, together in pairs),
        "worst_ratio": min(apart / together for apart, together in pairs),
    }


def main() -> None:
    """Measure and keep the figures."""
    tiny, larger = random_policy(128, 2), random_policy(256, 6)
    cases = {
        "nursery, short replies, distinct prompts": against_generate(born("arithmetic"), 16, 1),
        "nursery, short replies, groups of 8": against_generate(born("arithmetic"), 16, 8),
        "0.5 M parameters, 32 tokens, distinct prompts": against_generate(tiny, 32, 1),
        "5 M parameters, 32 tokens, distinct prompts": against_generate(larger, 32, 1),
        "5 M parameters, 32 tokens, groups of 8": against_generate(larger, 32, 8),
    }
    stragglers = with_stragglers(larger)
    lengths = mixed_lengths(larger)
    others = {"5 % of steps 50 times slower": stragglers, "one context in eight 25 times longer": lengths}
    for name, case in {**cases, **others}.items():
        print(f"{case['ratio']:.2f}  {name}  { ({k: round(v, 2) for k, v in case.items()}) }")
    met = min(case["ratio"] for case in cases.values()) >= 0.9 and stragglers["ratio"] >= 0.8
    met = met and lengths["ratio"] >= 1.5
    keep(
        "rollout",
        {
            "target": "ratio to generate >= 0.9 in every case; with stragglers >= 0.8 of without; by length >= 1.5",
            "met": met,
            "threads": torch.get_num_threads(),
            "against_generate": cases,
            "stragglers": stragglers,
            "mixed_lengths": lengths,
        },
    )


if __name__ == "__main__":
    main()
