"""Conversations whose sampled ids stay as they were sampled."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from palaestra.agents.episode import Episode, Turn
from palaestra.agents.policy import FinishReason
from palaestra.agents.render import Message, Renderer, Transcript
from palaestra.envs.errors import UsageError
from palaestra.envs.verdict import Status, Verdict
from small import APPENDING, END, character_tokenizer
from tokenizers import AddedToken, Tokenizer, models
from transformers import PreTrainedTokenizerFast

BEGINNING = "<bos>" + APPENDING
TRIMMING = APPENDING.replace("m.content", "m.content | trim")
# Lines between the messages, and a space before each reply: what sampled text has around it is the template's too.
SPACED = (
    "{% for m in messages %}<{{ m.role }}>\n{% if m.role == 'assistant' %} {{ m.content.strip() }} <end>\n"
    "{% else %}{{ m.content }}<end>\n{% endif %}{% endfor %}{% if add_generation_prompt %}<assistant>\n{% endif %}"
)
# Like Qwen 3: reasoning is told only of replies after the last user message.
FORGETTING = (
    "{% set last = namespace(user=0) %}"
    "{% for m in messages %}{% if m.role == 'user' %}{% set last.user = loop.index0 %}{% endif %}{% endfor %}"
    "{% for m in messages %}"
    "{% set said = m.content.split('</think>')[-1].lstrip() "
    "if m.role == 'assistant' and loop.index0 < last.user else m.content %}"
    "<{{ m.role }}>\n{{ said }}<end>\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>\n{% endif %}"
)
# Like DeepSeek R1: the prompt to speak is not what is told of it later.
PROMPTING = APPENDING.replace("<assistant>{% endif %}", "<assistant><think>{% endif %}")
# Ends turns by a line, so that no token of its own ends them.
BARE = (
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)
TEMPLATES = {"appending": APPENDING, "beginning": BEGINNING, "trimming": TRIMMING, "spaced": SPACED, "bare": BARE}
TEMPLATES |= {"forgetting": FORGETTING, "prompting": PROMPTING, "none": None}


def user(text):
    return (Message("user", text),)


def renderer(template):
    return Renderer(character_tokenizer(template))


def ids_of(text):
    return np.array(character_tokenizer().encode(text, add_special_tokens=False), np.int32)


def text_of(ids):
    return character_tokenizer().decode(ids.tolist())


def test_an_appending_template_appends_only_what_stands_between():
    transcript = Transcript(renderer(BEGINNING), (Message("system", "Be brief."), *user("1+1?")))
    assert text_of(transcript.context) == "<bos><system>Be brief.<end><user>1+1?<end><assistant>"
    extension = transcript.extend(ids_of("2<end>"), user("2+2?"), stopped=True)
    assert extension.continues
    assert text_of(extension.ids) == "<user>2+2?<end><assistant>"
    assert text_of(transcript.context) == (
        "<bos><system>Be brief.<end><user>1+1?<end><assistant>2<end><user>2+2?<end><assistant>"
    )


def test_a_reply_cut_by_length_is_ended_by_the_template():
    transcript = Transcript(renderer(APPENDING), user("count"))
    extension = transcript.extend(ids_of("1 2 3"), user("go on"), stopped=False)
    assert text_of(extension.ids) == "<end><user>go on<end><assistant>"
    assert text_of(transcript.context) == "<user>count<end><assistant>1 2 3<end><user>go on<end><assistant>"


@pytest.mark.parametrize("template", [APPENDING, TRIMMING])
@pytest.mark.parametrize("reply", ["two", " two \n ", "\n", "two<end>", ""])
def test_the_template_ends_every_reply_that_did_not_stop(template, reply):
    # `<end>` among them: where it does not stop the policy, it is a word like any other.
    transcript = Transcript(renderer(template), user("1+1?"))
    extension = transcript.extend(ids_of(reply), user("sure?"), stopped=False)
    assert text_of(extension.ids) == "<end><user>sure?<end><assistant>"
    assert extension.continues


@pytest.mark.parametrize("reply", ["  two \n<end>", "two<end>", "\n\n<end>", " <end>", "<end>"])
@pytest.mark.parametrize("template", [APPENDING, TRIMMING, SPACED])
def test_whitespace_around_a_reply_is_no_rewriting(template, reply):
    transcript = Transcript(renderer(template), user("1+1?"))
    before = transcript.context
    first = transcript.extend(ids_of(reply), user("sure?"), stopped=True)
    assert first.continues
    assert text_of(first.ids).strip().startswith("<user>")
    assert np.array_equal(transcript.context, np.concatenate([before, ids_of(reply), first.ids]))
    assert transcript.extend(ids_of(reply), user("really?"), stopped=True).continues


def test_dropped_reasoning_begins_a_new_row():
    transcript = Transcript(renderer(FORGETTING), user("1+1?"))
    extension = transcript.extend(ids_of("<think>one and one</think>\n2<end>"), user("sure?"), stopped=True)
    assert not extension.continues
    expected = "<user>\n1+1?<end>\n<assistant>\n2<end>\n<user>\nsure?<end>\n<assistant>\n"
    assert text_of(extension.ids) == expected
    assert np.array_equal(transcript.context, extension.ids)
    # A reply without reasoning leaves nothing to drop: the second row goes on.
    again = transcript.extend(ids_of("yes<end>"), user("really?"), stopped=True)
    assert again.continues
    assert text_of(transcript.context) == expected + "yes<end>\n<user>\nreally?<end>\n<assistant>\n"


def test_a_prompt_that_is_told_otherwise_later_begins_a_new_row():
    transcript = Transcript(renderer(PROMPTING), user("1+1?"))
    extension = transcript.extend(ids_of("hm</think>2<end>"), user("sure?"), stopped=True)
    assert not extension.continues
    assert text_of(extension.ids) == "<user>1+1?<end><assistant>hm</think>2<end><user>sure?<end><assistant><think>"


def test_a_change_of_earlier_text_of_the_same_length_begins_a_new_row():
    transcript = Transcript(renderer("{{ messages | length }}" + APPENDING), user("1+1?"))
    extension = transcript.extend(ids_of("2<end>"), user("sure?"), stopped=True)
    assert not extension.continues
    assert text_of(transcript.context) == "3<user>1+1?<end><assistant>2<end><user>sure?<end><assistant>"


def test_without_a_template_a_plain_one_that_appends():
    plain = renderer(None)
    transcript = Transcript(plain, (Message("system", "Add."), *user("1+1?")))
    assert text_of(transcript.context) == "system:\nAdd.<end>\nuser:\n1+1?<end>\nassistant:\n"
    assert transcript.extend(ids_of("2<end>"), user("2+2?"), stopped=True).continues
    assert text_of(transcript.context).endswith("assistant:\n2<end>\nuser:\n2+2?<end>\nassistant:\n")


def test_another_end_than_the_templates_is_kept_as_sampled():
    transcript = Transcript(renderer(APPENDING), user("1+1?"))
    extension = transcript.extend(ids_of("2<pad>"), user("sure?"), stopped=True)
    assert text_of(extension.ids) == "<end><user>sure?<end><assistant>"


def test_a_template_that_refuses():
    refusing = "{% if messages[0].role == 'system' %}{{ raise_exception('No system text.') }}{% endif %}" + APPENDING
    with pytest.raises(UsageError, match="refuses messages of the roles system, user: No system text"):
        Transcript(renderer(refusing), (Message("system", "Be brief."), *user("1+1?")))


WORDS = st.text(st.sampled_from("ab1 \n"), max_size=8)
REPLIES = st.tuples(st.sampled_from(["", "<think>a b</think>", "<think>\n1"]), WORDS, st.booleans())


@settings(deadline=None)
@given(
    template=st.sampled_from(sorted(TEMPLATES)),
    system=WORDS,
    first=WORDS,
    turns=st.lists(st.tuples(REPLIES, WORDS), max_size=5),
)
def test_rows_hold_what_was_sampled_and_the_whole_conversation(template, system, first, turns):
    """Recorded as an episode, every reply stands verbatim in a row whose text is the conversation the policy saw."""
    rendered = renderer(TEMPLATES[template])
    transcript = Transcript(rendered, (Message("system", system), *user(first)))
    prompt, continues = transcript.context, False
    lived, contexts = [], []
    for (thought, words, stopped), observation in turns:
        reply = ids_of(thought + words + ("<end>" if stopped else ""))
        if len(reply) == 0:
            continue
        contexts.append(transcript.context)
        finish = FinishReason.STOP if stopped else FinishReason.LENGTH
        lived.append(
            Turn(
                "", "", "", 0.0, context_ids=prompt, continues=continues, reply_ids=reply,
                logprobs=np.zeros(len(reply), np.float32), finish=finish,
            )
        )  # fmt: skip
        assert rendered.reply_text(reply, stopped=stopped) == thought + words
        prompt, continues = transcript.extend(reply, user(observation), stopped=stopped)
        said = text_of(transcript.context)
        position = 0
        for content in (first, words, observation):
            found = said.find(content.strip(), position)
            assert found >= 0
            position = found + len(content.strip())
        if not continues:
            assert np.array_equal(prompt, transcript.context)
            assert template in ("forgetting", "prompting")
    episode = Episode("e", "", "", "", "", 0, 0, "", tuple(lived), Verdict(0.0, Status.WRONG))
    rows = episode.rows()
    assert sorted({int(turn) for row in rows for turn in row.turn if turn >= 0}) == list(range(len(lived)))
    for row in rows:
        for turn in {int(turn) for turn in row.turn} - {-1}:
            (places,) = np.nonzero(row.turn == turn)
            assert np.array_equal(row.ids[places], lived[turn].reply_ids)
            assert np.array_equal(row.ids[: places[0]], contexts[turn])
            assert places[-1] - places[0] == len(places) - 1


def test_openings_are_rendered_once():
    calls = []

    class Counting(Renderer):
        def text(self, messages):
            calls.append(messages)
            return super().text(messages)

    shared = Counting(character_tokenizer(APPENDING))
    for _ in range(3):
        transcript = Transcript(shared, user("1+1?"))
        transcript.extend(ids_of("2<end>"), user("sure?"), stopped=True)
    assert calls.count(user("1+1?")) == 1
    assert len(transcript.context) > len(shared.opening(user("1+1?"))[1])


def test_ids_that_spell_what_would_be_encoded_otherwise_stay():
    vocabulary = {word: i for i, word in enumerate(["<end>", "<user>", "<assistant>", *"ab?", "ab"])}
    inner = Tokenizer(models.BPE(vocabulary, [("a", "b")]))
    inner.add_special_tokens([AddedToken(word, special=True) for word in ("<end>", "<user>", "<assistant>")])
    merging = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<end>", chat_template=APPENDING)
    assert merging.encode("ab") == [vocabulary["ab"]]
    sampled = np.array([vocabulary["a"], vocabulary["b"], vocabulary["<end>"]], np.int32)
    transcript = Transcript(Renderer(merging), user("ab?"))
    before = transcript.context.tolist()
    extension = transcript.extend(sampled, user("?"), stopped=True)
    assert transcript.context.tolist() == before + sampled.tolist() + extension.ids.tolist()
    assert before + sampled.tolist() == [1, 6, 5, 0, 2, 3, 4, 0]


def test_end_is_one_token():
    assert ids_of("<end>").tolist() == [END]
