"""Stop strings: where a reply ends, what of it is recorded and what is said."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from palaestra.agents.language import LanguageAgent
from palaestra.agents.local import LocalPolicy
from palaestra.agents.policy import FinishReason, Request, Sample, Sampling
from palaestra.agents.rollout import Assignment, Rollout
from palaestra.agents.specs import load_agent
from palaestra.agents.stopping import StopStrings, said, text_of
from palaestra.envs import make
from palaestra.envs.errors import UsageError
from small import END, character_tokenizer, new_model
from spelling import piece_tokenizer, space_tokenizer

TOKENIZERS = {"characters": character_tokenizer, "pieces": piece_tokenizer, "spaces": space_tokenizer}
STRINGS = ["END", " END", "D", "D.", "\n", "猫", "猫が", "🙂", "ß", "the end", "<user>", "end of the", "N", " "]


def first_end(tokenizer, ids, stop):
    """How many tokens a reply has, by the rule itself; None where no string ends it."""
    held = (n for n in range(1, len(ids) + 1) if any(s in text_of(tokenizer, ids[:n]) for s in stop))
    return next(held, None)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(TOKENIZERS)),
    st.lists(st.integers(0, 10**6), min_size=1, max_size=60),
    st.lists(st.sampled_from(STRINGS), min_size=1, max_size=3),
    st.booleans(),
)
@example("spaces", [7 + b for b in "猫猫猫猫猫猫猫が".encode()], ["猫が"], False)
@example("pieces", [7 + 5] * 30, ["END"], False)
def test_the_last_tokens_tell_what_the_whole_text_tells(name, numbers, stop, spelled):
    tokenizer = TOKENIZERS[name]()
    ids = [number % len(tokenizer) for number in numbers]
    if spelled:  # random tokens seldom hold a string
        ids += tokenizer.encode(stop[-1] + "and more", add_special_tokens=False)
    strings, expected = StopStrings(tokenizer, stop), first_end(tokenizer, ids, stop)
    for count in range(1, (expected or len(ids)) + 1):
        assert strings.end(ids[:count]) is (count == expected)


@pytest.fixture
def speller():
    tokenizer = piece_tokenizer()
    model = new_model(vocab_size=len(tokenizer))
    # Mostly letters and pieces of words.
    odd = [i for i in range(len(tokenizer)) if not text_of(tokenizer, [i]).isascii() or i < 7]
    model.lm_head.weight.data[odd] = 0
    return LocalPolicy(model, tokenizer, "test:speller")


def continued(policy, stop, *, max_tokens=40, seeds=range(6)):
    context = np.array(policy.tokenizer.encode("the answer is"), np.int32)
    sampling = Sampling(max_tokens=max_tokens, temperature=0.8, top_k=8, stop=stop)
    return policy.sample([Request(context, sampling, seed) for seed in seeds])


def test_a_reply_ends_with_the_token_that_completes_the_string(speller):
    free = continued(speller, ())
    ends = set()
    for number, whole in enumerate(free):
        tokens = [text_of(speller.tokenizer, [i]) for i in whole.ids.tolist()]
        long = [k for k in range(5, len(tokens)) if len(tokens[k]) > 1 and len(tokens[k - 1]) > 1]
        if not long:
            continue
        # From within one token into another, which goes on after it.
        stop = (tokens[long[0] - 1][1:] + tokens[long[0]][:1], "never said")
        (found,) = continued(speller, stop, seeds=[number])
        count = first_end(speller.tokenizer, whole.ids.tolist(), stop)
        assert found.finish is FinishReason.STOP_STRING
        assert found.ids.tolist() == whole.ids[:count].tolist()
        np.testing.assert_allclose(found.logprobs, whole.logprobs[:count], atol=1e-5)
        assert len(found.versions) == count
        text = text_of(speller.tokenizer, whole.ids.tolist())
        assert said(speller.tokenizer, found, stop) == text[: text.index(stop[0])]
        ends.add(count)
    assert len(ends) > 1, "nothing was tried"


def test_rows_with_and_without_strings_share_a_batch(speller):
    context = np.array(speller.tokenizer.encode("the answer is"), np.int32)
    kinds = [(), ("e",), (" ", "n"), ("never said",)]
    requests = [Request(context, Sampling(max_tokens=20, stop=kinds[seed % 4]), seed) for seed in range(16)]
    together = speller.sample(requests)
    for request, sample in zip(requests, together, strict=True):
        (alone,) = speller.sample([request])
        assert (alone.ids.tolist(), alone.finish) == (sample.ids.tolist(), sample.finish)
        if request.sampling.stop in ((), ("never said",)):
            assert sample.finish is not FinishReason.STOP_STRING
        else:
            assert first_end(speller.tokenizer, sample.ids.tolist(), request.sampling.stop) in (None, len(sample.ids))
    assert {sample.finish for sample in together} >= {FinishReason.LENGTH, FinishReason.STOP_STRING}


def test_of_two_reasons(policy, contexts):
    local = policy()
    (context,) = contexts([5])

    def sampled(**changes):
        return local.sample([Request(context, Sampling(temperature=0.0, **changes), 0)])[0]

    local.tokenizer.eos_token, kept = None, local.tokenizer.eos_token
    try:
        local.model.generation_config.eos_token_id = None
        free = sampled(max_tokens=6)
        last = text_of(local.tokenizer, free.ids[-1:].tolist())
        at = next(n for n, i in enumerate(free.ids.tolist(), 1) if text_of(local.tokenizer, [i]) == last)
        # The limit is reached by the token that completes the string: the string it is.
        assert sampled(max_tokens=at, stop=(last,)).finish is FinishReason.STOP_STRING
        # An end-of-turn token ends a turn, whatever it spells.
        local.model.generation_config.eos_token_id = int(free.ids[-1])
        found = sampled(max_tokens=6, stop=(last,))
        assert (found.finish, len(found.ids)) == (FinishReason.STOP, at)
    finally:
        local.tokenizer.eos_token = kept


@pytest.mark.parametrize(
    ("finish", "text"),
    [(FinishReason.STOP_STRING, "4"), (FinishReason.LENGTH, "4\n5;<end>"), (FinishReason.STOP, "4\n5;")],
)
def test_what_is_said(finish, text):
    tokenizer = character_tokenizer()
    ids = np.array([*tokenizer.encode("4\n5;"), END], np.int32)
    sample = Sample(ids, np.zeros(5, np.float32), finish, np.zeros(5, np.int32))
    # The first of several in the text, not in the list.
    assert said(tokenizer, sample, (";", "\n")) == text


def test_the_action_ends_before_the_string_and_the_row_keeps_it(policy):
    spec = "palaestra/Arithmetic-v0?tries=3"
    env = make(spec)
    plan = [Assignment(f"{i}", spec, env.tasks[i], i) for i in range(24)]
    stop = tuple("0123456789")
    agent = LanguageAgent(policy(), Sampling(max_tokens=10, stop=stop))
    turns = [turn for episode in Rollout(agent).play(plan) for turn in episode.turns]
    cut = [turn for turn in turns if turn.finish is FinishReason.STOP_STRING]
    assert cut
    for turn in cut:
        assert turn.reply == text_of(character_tokenizer(), turn.reply_ids.tolist())[:-1]
        assert turn.action == turn.reply.strip()
        assert len(turn.reply_ids) == len(turn.logprobs) == len(turn.versions)
    for episode in Rollout(agent).play(plan):
        (row,) = episode.rows()
        asked = [text_of(character_tokenizer(), t.context_ids.tolist()) for t in episode.turns]
        said_ = [text_of(character_tokenizer(), t.reply_ids.tolist()) for t in episode.turns]
        whole = "".join(part for pair in zip(asked, said_, strict=True) for part in pair)
        assert text_of(character_tokenizer(), row.ids.tolist()) == whole
        # A turn that a string ended is ended by the template.
        for turn, following in zip(episode.turns, asked[1:], strict=False):
            assert following.startswith("<end>") is (turn.finish is not FinishReason.STOP)


def test_strings_of_a_spec_stay_however_it_is_sampled(policy, tmp_path):
    policy().save(tmp_path)
    agent = load_agent(f"local:{tmp_path}?stop=%0A&lora=2&stop=3%264", sampling=Sampling(stop=("x",)))
    assert agent.sampling.stop == ("x", "\n", "3&4")
    assert agent.with_sampling(Sampling(stop=("\n",))).sampling.stop == ("\n", "3&4")
    assert agent.name == f"local:{tmp_path}?lora=2&stop=%0A&stop=3%264"
    assert load_agent(agent.name).name == agent.name
    served = load_agent("http:m@http://127.0.0.1:9/v1?stop=END&retries=0")
    assert served.sampling.stop == served.with_sampling(Sampling()).sampling.stop == ("END",)
    assert served.client.endpoint.retries == 0


@pytest.mark.parametrize("stop", ["END", ("",), ("a", 3), ["a"]])
def test_strings_that_are_none(stop):
    with pytest.raises(UsageError, match="stop must be a tuple of strings"):
        Sampling(stop=stop)


def test_specs_that_cannot_stop():
    with pytest.raises(UsageError, match="such as stop=%0A"):
        load_agent("local:x?stop=")
    with pytest.raises(UsageError, match=r"acquire\.sampling\.stop"):
        load_agent("local:x?stop=END", trainable=True)
