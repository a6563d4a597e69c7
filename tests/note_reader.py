"""A served model that decodes by what it is told, and writes the lessons it is asked for."""

import re

from palaestra.envs.puzzle.codebook import usual_code
from palaestra.envs.telling import LESSON, OPERATIONS, REFLECTION
from scripted_server import Said, chat

_FORM = "Answer like ba=1 de=2: "
FACT = re.compile(r"([a-z]{2})=(\d)")


def answer(content: str) -> str:
    """What the model says to a message."""
    if content.startswith(REFLECTION[0]):
        return reflect(content)
    if "The judge: " in content:
        fact = content.split("The judge: ")[1].split(", not ")[0]
        if content.endswith(LESSON):
            return fact
        assert OPERATIONS[1] in content
        word = fact.split("=")[0]
        noted = re.findall(r"^(\d+)\. ([a-z]{2})=(\d)$", content, re.MULTILINE)
        for number, other, digit in noted:
            if other == word:
                return f"UPVOTE {number}" if f"{other}={digit}" == fact else f"EDIT {number}: {fact}"
        return f"Let me see.\nADD: {fact}"
    told, _, words = content.rpartition(_FORM)
    told = told.replace(_FORM, "")  # of solved tasks
    book = {word: str(digit) for word, digit in usual_code().items()} | dict(FACT.findall(told))
    return " ".join(f"{word}={book[word]}" for word in words.split())


def reflect(content: str) -> str:
    """The instructions as they were, mended and extended by what the judge said, one word a line."""
    told, _, tries = content.partition(REFLECTION[2])
    book = dict(FACT.findall(told))
    for judged in tries.split("The judge: ")[1:]:
        book |= dict(FACT.findall(judged.splitlines()[0].split(", not ")[0]))
    return "So:\n```\n" + "\n".join(f"{word}={digit}" for word, digit in book.items()) + "\n```"


def script(heard):
    return Said(chat(answer(heard.body["messages"][-1]["content"])))
