"""A tiny policy and episodes for the tests of the update phase."""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from palaestra.agents.episode import Episode, Turn
from palaestra.agents.policy import FinishReason
from palaestra.envs.verdict import Status, Verdict
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

VOCABULARY = ["<pad>", "<eos>", *"abcdefghij"]
A, B = VOCABULARY.index("a"), VOCABULARY.index("b")


@dataclass
class TinyPolicy:
    model: torch.nn.Module
    tokenizer: PreTrainedTokenizerFast
    version: int = 0

    def twin(self):
        return TinyPolicy(copy.deepcopy(self.model), self.tokenizer)

    @property
    def weights(self):
        return {name: weight.detach().clone() for name, weight in self.model.named_parameters()}


def tiny_tokenizer():
    inner = Tokenizer(models.WordLevel({word: i for i, word in enumerate(VOCABULARY)}, unk_token="<pad>"))
    inner.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    return PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="<pad>", eos_token="<eos>")


def tiny_policy(seed=0, **config):
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    llama = LlamaConfig(vocab_size=len(VOCABULARY), max_position_embeddings=64, **sizes | config)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(llama)
        # Larger than the usual 0.02: probabilities and gradients that differ from token to token.
        for weight in model.parameters():
            weight.data.add_(torch.randn_like(weight), alpha=0.1)
    model.generation_config.eos_token_id = 1
    return TinyPolicy(model.eval(), tiny_tokenizer())


@torch.no_grad()
def plain_logprobs(model, ids, temperature=1.0):
    """`[L]` log-probabilities of `[L]` ids by the model's own logits; the first is 0."""
    ids = torch.as_tensor(np.asarray(ids, np.int64))
    scores = (model(ids[None]).logits[0, :-1].float() / temperature).log_softmax(-1)
    return np.concatenate([[0], scores.gather(1, ids[1:, None])[:, 0].numpy()]).astype(np.float32)


def make_episode(policy, turns, rewards, *, group="g", temperature=1.0, valid=True, shift=0.0):
    """An append-only conversation of (context, reply) id lists; log-probabilities less `shift`."""
    recorded, past = [], []
    for index, ((context, reply), reward) in enumerate(zip(turns, rewards, strict=True)):
        past = [*past, *context, *reply]
        logprobs = plain_logprobs(policy.model, past, temperature)[-len(reply) :] - np.float32(shift)
        ids = np.array(context, np.int32), np.array(reply, np.int32)
        versions = np.full(len(reply), policy.version, np.int32)
        recorded.append(
            Turn("", "", "", reward, None, ids[0], index > 0, ids[1], logprobs, FinishReason.STOP, versions)
        )
    verdict = Verdict(1.0, Status.CORRECT) if valid else Verdict(0.0, Status.INFRASTRUCTURE)
    return Episode("e", "env", "t", "f", group, 0, 0, "p", tuple(recorded), verdict)


def sampled_batch(policy, generator, *, groups=4, attempts=6, length=4, temperature=1.0, reward=None):
    """Groups of one-turn episodes sampled from the policy; by default paid for each `a`."""
    reward = reward or (lambda reply: float(sum(token == A for token in reply)))
    prompts = torch.from_numpy(generator.integers(2, len(VOCABULARY), (groups, 3))).repeat_interleave(attempts, 0)
    ids, scores = prompts, []
    with torch.no_grad():
        for _ in range(length):
            logprobs = (policy.model(ids).logits[:, -1].float() / temperature).log_softmax(-1)
            noise = torch.from_numpy(generator.gumbel(size=tuple(logprobs.shape)))
            chosen = (logprobs + noise).argmax(-1, keepdim=True)
            scores.append(logprobs.gather(1, chosen))
            ids = torch.cat([ids, chosen], 1)
    logprobs = torch.cat(scores, 1).numpy()
    episodes = []
    for row, (whole, scored) in enumerate(zip(ids.numpy().astype(np.int32), logprobs, strict=True)):
        turn = Turn("", "", "", reward(whole[3:]), None, whole[:3], False, whole[3:], scored, FinishReason.LENGTH, 0)
        verdict = Verdict(turn.reward, Status.PARTIAL)
        episodes.append(Episode(f"e{row}", "env", "t", "f", f"g{row // attempts}", row, 0, "p", (turn,), verdict))
    return episodes


def largest_difference(one, other):
    return max(float((one[name] - other[name]).abs().max()) for name in one)


def interrupted(start, method, batches, folder, **settings):
    """Train one policy without a break, and another that is saved half-way and continued by a third.

    Returns the three, the figures of the first's steps, and those of the third's, which are of the second half.
    """
    straight, first = tiny_policy(attention_dropout=0.2), tiny_policy(attention_dropout=0.2)
    updater, half = start(method, straight, **settings), len(batches) // 2
    figures = [updater.step(batch) for batch in batches]
    updater = start(method, first, **settings)
    for batch in batches[:half]:
        updater.step(batch)
    updater.save(folder / "saved")
    second = tiny_policy(seed=5, attention_dropout=0.2)
    second.model.load_state_dict(first.model.state_dict())
    updater = start(method, second, **settings)
    updater.load(folder / "saved")
    torch.manual_seed(3)  # whatever the rest of the world draws
    again = [updater.step(batch) for batch in batches[half:]]
    assert torch.rand(1) == torch.rand(1, generator=torch.Generator().manual_seed(3))
    return straight, first, second, figures, again
