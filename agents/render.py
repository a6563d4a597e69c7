"""Conversations as tokens: what was sampled is kept as sampled, and only what the template adds is encoded.

Encoding a whole conversation anew at every turn drifts from what the policy sampled (other ids spell the same text),
and some templates rewrite earlier turns (they drop earlier reasoning). Here a reply's ids stay, the text that the
template puts after it is encoded and appended, and a template that rewrites is noticed by its text.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jinja2 import TemplateError
from palaestra.agents.policy import IntArray
from palaestra.agents.stopping import text_of
from palaestra.envs.errors import UsageError
from transformers import PreTrainedTokenizerBase

__all__ = ["Extension", "Message", "Renderer", "Transcript"]

# For tokenizers without a chat template. Lines, because a line's end is a token of its own in nearly all of them.
_PLAIN_TEMPLATE = (
    "{%- for message in messages -%}"
    "{{- message.role + ':\n' + message.content + (eos_token or '') + '\n' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- 'assistant:\n' -}}{%- endif -%}"
)
# Attempts at one task, and one task after another's update, begin with the same messages.
_OPENINGS_KEPT = 1024


class Message(NamedTuple):
    """One message: role `system`, `user` or `assistant`, and what it says."""

    role: str
    content: str


class Extension(NamedTuple):
    """What a turn puts before its reply.

    Attributes:
        ids: `[C]` ids to append to the row; the whole context when the row is new.
        continues: Whether the row goes on; false when the template rewrote what stands before.
    """

    ids: IntArray
    continues: bool


class Renderer:
    """A tokenizer and its chat template.

    Args:
        tokenizer: The tokenizer; without a chat template it gets one that only appends.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer
        self._template: str | None = None
        if tokenizer.chat_template is None:
            starts = tokenizer.encode("a")[:1] == [tokenizer.bos_token_id]
            self._template = ("{{- bos_token -}}" if starts else "") + _PLAIN_TEMPLATE
        self.opening = lru_cache(_OPENINGS_KEPT)(self._opening)

    def __reduce__(self) -> tuple[type["Renderer"], tuple[PreTrainedTokenizerBase]]:
        """Travel without the openings that were rendered."""
        return Renderer, (self.tokenizer,)

    def _opening(self, messages: tuple[Message, ...]) -> tuple[str, IntArray]:
        """Return the text and the ids with which a conversation begins, up to where the assistant speaks."""
        text = self.text(messages)
        ids = self.encode(text)
        ids.flags.writeable = False
        return text, ids

    def text(self, messages: tuple[Message, ...]) -> str:
        """Render messages, up to where the assistant speaks next.

        Raises:
            UsageError: If the template refuses them.
        """
        conversation = [message._asdict() for message in messages]
        try:
            text = self.tokenizer.apply_chat_template(
                conversation, chat_template=self._template, tokenize=False, add_generation_prompt=True
            )
        except (TemplateError, ValueError) as error:
            roles = ", ".join(message.role for message in messages)
            raise UsageError(
                f"The tokenizer's chat template refuses messages of the roles {roles}: {error} "
                "Give no system text, or a tokenizer whose template takes these roles."
            ) from error
        return str(text)

    def encode(self, text: str) -> IntArray:
        """Return the `[C]` ids of rendered text, which spells its special tokens itself."""
        return np.array(self.tokenizer.encode(text, add_special_tokens=False), np.int32)

    def reply_text(self, reply_ids: IntArray, *, stopped: bool) -> str:
        """Return the text of a reply, with the stop string that ended it.

        Args:
            reply_ids: `[T]` ids as sampled.
            stopped: Whether the last of them is an end-of-turn token, which is not part of it.
        """
        said = reply_ids[:-1] if stopped else reply_ids
        return text_of(self.tokenizer, said.tolist())


class Transcript:
    """A conversation that is waiting for a reply.

    Args:
        renderer: Of the policy's tokenizer.
        messages: How it begins; the last one is not the assistant's.
    """

    def __init__(self, renderer: Renderer, messages: tuple[Message, ...]) -> None:
        self._renderer = renderer
        self._messages = messages
        # The text of the conversation as the template tells it now; the ids of the row spell the same or, where
        # sampled whitespace was trimmed or sampled ids spell otherwise, what was sampled.
        self._text, ids = renderer.opening(messages)
        self._row = [ids]

    @property
    def context(self) -> IntArray:
        """`[C]` ids of the current row."""
        return np.concatenate(self._row)

    def extend(self, reply_ids: IntArray, messages: tuple[Message, ...], *, stopped: bool) -> Extension:
        """Add a reply as it was sampled and what was said to it; return what stands before the next reply.

        Args:
            reply_ids: `[T]` ids as sampled.
            messages: What the world says next.
            stopped: Whether the last of the ids is an end-of-turn token.
        """
        reply = self._renderer.reply_text(reply_ids, stopped=stopped)
        self._messages += (Message("assistant", reply), *messages)
        before, self._text = self._text, self._renderer.text(self._messages)
        tail = _after_reply(before, reply, self._text)
        if tail is None:
            ids = self._renderer.encode(self._text)
            self._row = [ids]
            return Extension(ids, continues=False)
        ids = self._tail_ids(tail, reply_ids, stopped)
        self._row += [reply_ids, ids]
        return Extension(ids, continues=True)

    def _tail_ids(self, tail: str, reply_ids: IntArray, stopped: bool) -> IntArray:
        """Encode what the template puts after a reply, without an end-of-turn token that was sampled already."""
        if not stopped:
            return self._renderer.encode(tail)
        end = reply_ids[-1:]
        # Some templates put a space between a reply and its end.
        if tail.lstrip().startswith(str(self._renderer.tokenizer.decode(end.tolist(), skip_special_tokens=False))):
            tail = tail.lstrip()
        # Encoded with the end token and cut off after it: some tokenizers treat the start of a text differently.
        ids = self._renderer.encode(tail)
        return ids[1:] if np.array_equal(ids[:1], end) else ids


def _after_reply(before: str, reply: str, after: str) -> str | None:
    """Return what a template puts after a reply, or None if it rewrote what stands before or the reply itself.

    Whitespace around the reply may differ: many templates trim it, some add a space.

    Args:
        before: The conversation as rendered when the reply was asked for.
        reply: What was replied.
        after: The conversation as rendered with the reply and what followed.
    """
    if not after.startswith(before):
        return None
    tail = after[len(before) :]
    words = reply.strip()
    if words:
        tail = tail.lstrip()
        if not tail.startswith(words):
            return None
        tail = tail[len(words) :]
    return tail.removeprefix(reply[len(reply.rstrip()) :])
