"""Debate over a question whose answer a machine can check.

| | |
|---|---|
| Players | 3: the debaters `player_0` (A) and `player_1` (B), and the judge `player_2` |
| Observation | text: the question, both answers, and what was said in the rounds that are over |
| Action | text: a speech of a debater, bounded in length; `a` or `b` of the judge |
| Reward | at the end: 1 to the debater whom the judge believed, -1 to the other; 1 to a judge that was right, else 0 |
| Illegal moves | a judge that says neither gets 0, nobody wins; `illegal="retry"` or `"random"` treats it otherwise |

With `form="answers"`:

| | |
|---|---|
| Players | `debaters`, 2 to 10, all at the same time |
| Observation | text: the question, and everybody's answer of the last round |
| Action | text: an answer |
| Reward | at the end: what the world's own judge pays for one's last answer, 0 to 1 |
| Illegal moves | none |

One answer is right and one wrong by the judge of the world that the question is from; who argues for which is drawn,
and told to nobody. Both debaters speak at the same time, so nobody has the last word. By default (`split`) no held-out
question is asked.

Source: Irving et al. 2018, "AI safety via debate"; `"answers"`: Du et al. 2023, "Improving factuality and reasoning in
language models through multiagent debate".

Versions: v0, the first.
"""

from palaestra.envs.arena.dialogues.debate import Debate
from palaestra.envs.arena.dialogues.questions import Questions
from palaestra.envs.arena.dialogues.revision import Revision
from palaestra.envs.arena.game import forms
from palaestra.envs.errors import UnknownNameError, UsageError

__all__ = ["env", "parallel_env", "raw_env"]


def raw_env(
    *,
    world: str = "arithmetic",
    split: str = "train",
    form: str = "judged",
    debaters: int = 2,
    rounds: int = 2,
    speech: int = 500,
    explain: bool = True,
    illegal: str = "lose",
    tries: int = 3,
    render_mode: str | None = None,
) -> Debate | Revision:
    """Return the arena; see `Questions`, `Debate` and `Revision` for the arguments.

    Raises:
        UnknownNameError: If the form is another.
        UsageError: If an argument is out of its range.
    """
    if form not in ("judged", "answers"):
        raise UnknownNameError("form of debate", form, ("judged", "answers"))
    if form == "judged" and debaters != 2:
        raise UsageError(f"A judge hears two debaters, got debaters={debaters}; more take form=answers.")
    questions = Questions(world, split)
    if form == "answers":
        return Revision(
            questions, debaters=debaters, rounds=rounds, speech=speech, explain=explain, render_mode=render_mode
        )
    return Debate(
        questions,
        rounds=rounds,
        speech=speech,
        explain=explain,
        illegal=illegal,
        tries=tries,
        render_mode=render_mode,
    )


env, parallel_env = forms(raw_env)
