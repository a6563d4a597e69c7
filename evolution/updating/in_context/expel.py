"""Insights from pairs of a failed and a successful try, and successful tries to recall."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, cast

from palaestra.agents.episode import Episode
from palaestra.agents.memory.context import Context
from palaestra.agents.memory.entry import Entry, Kind, Provenance
from palaestra.agents.memory.memory import Memory
from palaestra.envs.telling import operation_prompt
from palaestra.evolution.updating.in_context.study import Study
from palaestra.evolution.updating.in_context.trials import Story, Trials, feedback, said

__all__ = ["Expel", "Operation", "carry_out", "read_operations"]

_OPERATION = re.compile(r"^\W*(ADD|EDIT|UPVOTE|DOWNVOTE)(?![^\W\d])\s*(\d*)\s*:?\s*(.*)$", re.IGNORECASE)
_ADDED = 2
_TRIALS = Trials()


class Operation(NamedTuple):
    """A change of the insights.

    Attributes:
        verb: What is done.
        number: To which of the insights that were shown, from 1; 0 for a new one.
        text: What it shall say.
    """

    verb: Literal["ADD", "EDIT", "UPVOTE", "DOWNVOTE"]
    number: int
    text: str


def read_operations(reply: str) -> list[Operation]:
    """Return the operations in a reply, one a line; other lines are passed over."""
    found: list[Operation] = []
    for line in reply.splitlines():
        match = _OPERATION.match(line)
        if match is None:
            continue
        verb = cast(Literal["ADD", "EDIT", "UPVOTE", "DOWNVOTE"], match[1].upper())
        number, text = int(match[2] or 0), match[3].strip()
        if verb == "ADD" and match[2]:  # what it adds begins with a number
            number, text = 0, line[line.upper().index("ADD") + 3 :].strip(" :")
        if (number > 0) == (verb != "ADD") and (bool(text) or verb in ("UPVOTE", "DOWNVOTE")):
            found.append(Operation(verb, number, text))
    return found


def carry_out(operation: Operation, shown: Sequence[Entry], memory: Memory, origin: Provenance) -> bool:
    """Change the insights of a memory; return whether there was something to change.

    A new insight has two votes; an edit or a vote for one adds a vote, a vote against it takes one, and an insight
    without votes is forgotten.

    Source: Zhao et al. 2024, "ExpeL: LLM agents are experiential learners".

    Args:
        operation: What to do.
        shown: The insights as they were numbered, from 1.
        memory: Where they are.
        origin: Who says so.
    """
    if operation.verb == "ADD":
        memory.add(Kind.INSIGHT, operation.text, votes=_ADDED, provenance=origin)
        return True
    if not 1 <= operation.number <= len(shown):
        return False
    entry = shown[operation.number - 1]
    if entry.id not in {known.id for known in memory.entries(Kind.INSIGHT)}:  # gone by an earlier operation
        return False
    if operation.verb == "EDIT":
        memory.edit(entry.id, operation.text, origin, votes=1)
    else:
        memory.vote(entry.id, 1 if operation.verb == "UPVOTE" else -1)
    return True


@dataclass(frozen=True)
class Expel:
    """Distil insights from pairs of tries, and remember what succeeded.

    Source: Zhao et al. 2024, "ExpeL: LLM agents are experiential learners".

    Attributes:
        trials: How failed tasks are tried again, so that there are pairs.
        shown: Most insights that are shown when operations are asked for: the nearest to the pair.
        episodes: Whether successful tries are remembered.
    """

    trials: Trials = _TRIALS
    shown: int = 4
    episodes: bool = True

    def __call__(self, present: Context, episodes: Sequence[Episode], study: Study) -> Context | None:
        """Propose the context with insights changed and successes added; see `Revise`."""
        stories = self.trials(present, episodes, study)
        draft, pairs = present.draft(), [story for story in stories if story.solved]
        for pair in pairs:
            self._distil(pair, draft.memory, study)
        if self.episodes:
            right = [episode for episode in episodes if episode.valid and episode.correct]
            for episode in (*right, *(story.episodes[-1] for story in pairs)):
                # With the task, for other tasks may have the same answer.
                lived = f"{episode.turns[0].observation}\n{said(episode)}"
                draft.memory.add(Kind.EPISODE, lived, provenance=study.provenance(episode.id))
        return draft

    def _distil(self, story: Story, memory: Memory, study: Study) -> None:
        """Ask what a pair teaches, one pair after another, and do it."""
        failed, solved = story.episodes[-2:]
        asked, judged = failed.turns[0].observation, feedback(failed)
        shown = memory.search(judged, Kind.INSIGHT, self.shown)
        prompt = operation_prompt([entry.text for entry in shown], asked, said(failed), judged, said(solved))
        (answer,) = study.ask([prompt])
        for operation in read_operations(answer or ""):
            carry_out(operation, shown, memory, study.provenance(failed.id))
