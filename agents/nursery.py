"""Small policies born on this machine, for those who cannot or need not download one.

A nursery policy is a Llama of half a million parameters that reads and writes single characters. It is pre-trained
on demonstrations of one environment's training tasks, and there is head-room to learn, in one of these ways:

- Where the world knows a typical mistake (`TextEnv.slip`: a sum without its carries), most demonstrations make it, as
  text found in the wild is of mixed quality. The policy then can do what is right and mostly does what is common;
  reward tells them apart. Only tasks in which somebody could slip say when it can do enough.
- Where solutions say how they are reached (`TextEnv.explained`), the right ones are shown to tasks whose answer is told
  (`TextEnv.hinted`), and slips to the others: the policy can explain an answer, and does not know how to find one.
- Elsewhere all demonstrations are right, and pre-training ends as soon as a share of a fixed probe can be solved; if
  what is left to learn lies in tasks of another sort (`TextEnv.mastered`), that is nearly all of it.

Where every observation tells all that matters, as in games that hide nothing, the policy is born forgetful: its chat
template shows only what was said last, so contexts stay short and equal positions are equal contexts. It is born with
the words of its lessons, too: a cell of a board is one token, if the game writes it so. A world may also name the words
that shall be one token each (`TextEnv.words`).

Born once, a policy is cached.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import cast

import numpy as np
import torch
from palaestra.agents.alphabet import END, build_tokenizer
from palaestra.agents.lessons import IGNORED, Lessons, demonstrate
from palaestra.agents.local import LocalPolicy
from palaestra.envs import catalogue
from palaestra.envs.errors import UsageError
from palaestra.envs.seeding import derive_generator, derive_seed
from palaestra.envs.text_env import TextEnv
from torch.nn.functional import cross_entropy
from torch.optim import AdamW
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel, PreTrainedTokenizerFast

__all__ = ["Plan", "born", "cache_folder", "suited"]

# Change it when a change here or of the lessons changes what is born: older cached policies are not taken for it then.
_EDITION = 5


@dataclass(frozen=True)
class Plan:
    """How a nursery policy is born.

    Attributes:
        careless: Share of demonstrations that slip, in a world that knows slips.
        able: Share of the probe the policy must be able to solve when pre-training ends, in such a world.
        solved: The same where all demonstrations are right.
        mastered: The same in a world that is to be mastered at birth.
        played: Where demonstrations are some of many ways, such as random moves of a game: how probable they must be to
            the policy over how probable they are, as a geometric mean.
        watch_steps: Fewest steps there.
        hidden_size: Width of the model.
        intermediate_size: Width of its feed-forward layers.
        layers: Number of layers.
        heads: Number of attention heads.
        positions: Longest context, in tokens.
        initializer_range: Deviation of the first weights.
        batch: Demonstrations a step.
        moves: The same where each is of one move.
        learning_rate: Of AdamW, after a warm-up.
        practise_steps: Steps at the full learning rate once half of what is needed is there, in a world that knows
            slips.
        settle_steps: Steps over which the learning rate then falls to nothing; after them such a policy is born.
        warmup_steps: Steps of linear warm-up.
        probe: Tasks in the probe.
        look_every: Steps between two looks at the probe.
        most_steps: Steps after which pre-training is given up.
    """

    careless: float = 0.63
    able: float = 0.8
    solved: float = 0.38
    mastered: float = 0.9
    played: float = 0.8
    watch_steps: int = 200
    hidden_size: int = 128
    intermediate_size: int = 512
    layers: int = 2
    heads: int = 4
    positions: int = 1024
    initializer_range: float = 0.08
    batch: int = 64
    moves: int = 256
    learning_rate: float = 2e-3
    practise_steps: int = 300
    settle_steps: int = 300
    warmup_steps: int = 50
    probe: int = 512
    look_every: int = 10
    most_steps: int = 5_000


# Where contexts are short and there is little to know, a narrower policy plays and learns faster, and no worse.
_SLIGHT = Plan(hidden_size=64, intermediate_size=256)


def cache_folder() -> Path:
    """Return the user's cache folder for Palaestra; `XDG_CACHE_HOME` moves it."""
    if configured := os.environ.get("XDG_CACHE_HOME"):
        return Path(configured) / "palaestra"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "palaestra"
    return Path.home() / ".cache" / "palaestra"


def suited(skill: str) -> Plan:
    """Return the plan by which a policy of a skill is born if nothing else is said."""
    return _SLIGHT if catalogue.make(skill).slight else Plan()


def born(
    skill: str, seed: int = 0, *, plan: Plan | None = None, progress: Callable[[int, int], None] | None = None
) -> LocalPolicy:
    """Return the nursery policy of a skill and a seed, from the cache or born now.

    Args:
        skill: Spec of an environment that knows solutions, such as `arithmetic`.
        seed: Names its first weights and the order of its lessons. The same seed gives the same weights on the same
            machine with the same number of threads.
        plan: How it is born; None chooses by what the environment tells.
        progress: Called with (done, total), a rough share of the way.

    Raises:
        UsageError: If the environment knows no solution to demonstrate.
    """
    env = catalogue.make(skill)
    plan = plan or suited(skill)
    key = repr((_EDITION, skill, env.tasks.digest, seed, sorted(asdict(plan).items()), torch.__version__))
    folder = cache_folder() / "nursery" / f"{_slug(skill)}-s{seed}-{blake2b(key.encode(), digest_size=6).hexdigest()}"
    if not folder.exists():
        _keep(_raise_up(env, seed, plan, progress), folder)
    policy = LocalPolicy.load(folder, trainable=True)
    policy.name = f"nursery:{skill}"
    return policy


def _slug(skill: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in skill).strip("-").lower()


def _keep(policy: LocalPolicy, folder: Path) -> None:
    """Write into the cache so that another process sees all of it or nothing."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".born-"))
    try:
        policy.save(scratch)
        scratch.rename(folder)
    except OSError:
        if not folder.exists():  # else another process was faster with the same weights
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _new_model(plan: Plan, seed: int, tokenizer: PreTrainedTokenizerFast | None = None) -> PreTrainedModel:
    tokenizer = tokenizer or build_tokenizer(plan.positions)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=plan.hidden_size,
        intermediate_size=plan.intermediate_size,
        num_hidden_layers=plan.layers,
        num_attention_heads=plan.heads,
        num_key_value_heads=plan.heads,
        max_position_embeddings=plan.positions,
        initializer_range=plan.initializer_range,
        tie_word_embeddings=False,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.convert_tokens_to_ids(END),
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):  # the library draws first weights from the global generator only
        torch.manual_seed(derive_seed(seed, "nursery", "weights"))
        return cast(PreTrainedModel, LlamaForCausalLM(config))  # type: ignore[no-untyped-call]


def _raise_up(env: TextEnv, seed: int, plan: Plan, progress: Callable[[int, int], None] | None) -> LocalPolicy:
    """Pre-train until enough of the skill is there: see the module for what that means."""
    train = list(env.tasks.split().train)
    tokenizer, right, slips, odds, fit = demonstrate(env, train, plan.positions)
    many_ways = bool((odds < 1).any())
    watching = many_ways and not env.tells_all
    count = len(right.ids)
    careless, enough = (plan.careless, plan.able) if slips else (0.0, plan.mastered if env.mastered else plan.solved)
    if many_ways:  # nothing is given away by knowing them all
        enough = plan.played ** (len(train) / count)
    order_of_probe = derive_generator(seed, "nursery", "probe").permutation(count)
    probed = torch.from_numpy(order_of_probe[fit[order_of_probe]][: plan.probe])
    probe, probe_odds = right[probed].alike(), odds[probed]
    order = _shuffled(derive_generator(seed, "nursery", "lessons"), count, plan.moves if env.tells_all else plan.batch)
    who = derive_generator(seed, "nursery", "demonstrators")
    model = _new_model(plan, seed, tokenizer)  # without dropout: training and evaluation compute the same
    optimizer = AdamW(model.parameters(), lr=plan.learning_rate, betas=(0.9, 0.98), weight_decay=0.0)
    ability, left = 0.0, plan.practise_steps + plan.settle_steps
    for step in range(1, plan.most_steps + 1):
        factor = min(1.0, step / plan.warmup_steps, left / plan.settle_steps)
        for group in optimizer.param_groups:
            group["lr"] = plan.learning_rate * factor
        rows = next(order)
        lesson = right[rows]
        if slips:
            lesson = lesson.mixed(slips[rows], torch.from_numpy(who.random(len(rows)) < careless))
        optimizer.zero_grad(set_to_none=True)
        for loss in [_watching_loss(model, lesson)] if watching else _losses(model, lesson):
            loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if slips and ability >= 0.5 * enough:
            left -= 1
        if step % plan.look_every == 0 or left == 0:
            able = _fluent(model, probe, probe_odds) if many_ways else _able(model, probe, 0.5 * (1.0 - careless))
            ability = max(ability, able)
            if progress:
                progress(min(99, int(100 * step / (step + left) if slips else 100 * ability / enough)), 100)
        watched = not watching or step >= plan.watch_steps
        if ability >= enough and watched and (not slips or left == 0):
            return LocalPolicy(model, tokenizer, "nursery")
        if left == 0:
            break
    raise UsageError(
        f"The nursery policy of seed {seed} was able to solve {ability:.0%} of its probe in {type(env).__name__} "
        f"after {step} steps, and {enough:.0%} are needed: too hard for one this small. Choose an easier skill or "
        "another seed."
    )


def _shuffled(generator: np.random.Generator, count: int, batch: int) -> Iterator[torch.Tensor]:
    """Yield batches of row numbers, each row once before any comes again."""
    while True:
        order = generator.permutation(count)
        for start in range(0, max(1, count - batch + 1), batch):
            yield torch.from_numpy(order[start : start + batch])


def _losses(model: PreTrainedModel, lessons: Lessons) -> Iterator[torch.Tensor]:
    """Yield the loss of all that the agent says, a mean over its tokens, in parts that add up to it."""
    said = (lessons.labels[:, 1:] != IGNORED).sum()
    for part in lessons.alike():
        yield -_logprobs(model, part).sum() / said


def _watching_loss(model: PreTrainedModel, lessons: Lessons) -> torch.Tensor:
    """Return the loss of one who also foresees the world: how a game goes on and ends says what matters in it."""
    logits = model(input_ids=lessons.ids, use_cache=False).logits[:, :-1]
    losses = cross_entropy(logits.transpose(1, 2), lessons.ids[:, 1:], reduction="none")
    spoken = lessons.labels[:, 1:] != IGNORED
    heard = (lessons.ids[:, 1:] != model.config.pad_token_id) & ~spoken
    return losses[spoken].mean() + losses[heard].mean()


def _logprobs(model: PreTrainedModel, lessons: Lessons) -> torch.Tensor:
    """Return `[N]` log-probabilities in nats of all that the agent says in each lesson."""
    logits = model(input_ids=lessons.ids, use_cache=False).logits[:, :-1]
    losses = cross_entropy(logits.transpose(1, 2), lessons.labels[:, 1:], ignore_index=IGNORED, reduction="none")
    return -losses.sum(1)


@torch.no_grad()
def _able(model: PreTrainedModel, probe: Sequence[Lessons], threshold: float) -> float:
    """Return the share of lessons that the model would say word for word with more than a given probability."""
    able = torch.cat([_logprobs(model, part) for part in probe]).exp() > threshold
    return float(able.float().mean())


@torch.no_grad()
def _fluent(model: PreTrainedModel, probe: Sequence[Lessons], odds: torch.Tensor) -> float:
    """Return how probable lessons are to the model over their odds (`[N]`), as a geometric mean; 1 is perfect."""
    said = torch.cat([_logprobs(model, part) for part in probe])
    return float((said.mean() - odds.log().mean()).exp())
