"""A proposer and its solvers.

| | |
|---|---|
| Players | `player_0` sets a task; `player_1` to `player_n` solve it, each for itself (`solvers`, 1 to 64) |
| Observation | text: what to do and earlier tasks for the proposer; the task for a solver, never another's answer |
| Action | text: a task, or an answer |
| Reward | at the end: 1 to a solver that is right, else 0; to the proposer by the share p of solvers that are right |
| Illegal moves | what is no task ends the game, paid as such; `illegal="retry"` or `"random"` treats it otherwise |

| `kind` | a task | an answer |
|---|---|---|
| `arithmetic` | `37+48` | its value, as in `palaestra/Arithmetic-v0` |
| `deduction` | a Python program and arguments | what it returns, equal by Python's `==` |
| `abduction` | a Python program and arguments | any arguments for which it returns the same |
| `induction` | a Python program and 4 to 10 inputs | a program that is right on all, of which half were shown |

| `pay` | p > 0 | p = 0 | not in the form asked for | in that form, and no valid task |
|---|---|---|---|---|
| `absolute_zero` | 1 - p | 0 | -1 | -0.5 |
| `r_zero` | 1 - 2 abs(p - 1/2) | 0 | 0 | 0 |

A valid program finishes within a second on all of its inputs, imports little, returns plain data of at most 1,000
characters, and returned the same in two processes, in the second for every input twice. It is shown and run without
comments. Solvers of a task that was refused have verdicts that are no rewards. The Absolute Zero paper pays solvers
-0.5 for a wrong answer and -1 for one that cannot be read; here that is 0, and the verdict's status tells them apart.
R-Zero's share of duplicates needs a whole batch: `proposal.key` names a task, `after_duplicates` takes the share off.

Source: Zhao et al. 2025, "Absolute Zero: reinforced self-play reasoning with zero data"; Huang et al. 2025, "R-Zero:
self-evolving reasoning LLM from zero data".

Versions: v0, the first.
"""

from palaestra.envs.arena.dialogues.programs import Abduction, Deduction, Induction
from palaestra.envs.arena.dialogues.proposals import Kind, Payment
from palaestra.envs.arena.dialogues.proposing import ProposerSolver
from palaestra.envs.arena.dialogues.sums import Sums
from palaestra.envs.arena.game import forms
from palaestra.envs.errors import UnknownNameError

__all__ = ["env", "parallel_env", "raw_env"]

_PROGRAMS: dict[str, type[Kind]] = {kind.name: kind for kind in (Deduction, Abduction, Induction)}


def raw_env(
    *,
    kind: str = "arithmetic",
    solvers: int = 4,
    pay: str = "absolute_zero",
    digits: int = 2,
    operands: int = 2,
    operations: str = "+-*/",
    explain: bool = True,
    illegal: str = "lose",
    tries: int = 3,
    render_mode: str | None = None,
) -> ProposerSolver:
    """Return the arena; see `ProposerSolver` for the arguments, and `Sums` for digits, operands and operations.

    Raises:
        UnknownNameError: If the kind or the payment is another.
        UsageError: If an argument is out of its range.
    """
    if kind not in (Sums.name, *_PROGRAMS):
        raise UnknownNameError("kind of tasks", kind, (Sums.name, *_PROGRAMS))
    if pay not in Payment.__members__.values():
        raise UnknownNameError("payment", pay, [str(way) for way in Payment])
    tasks = Sums(digits, operands, operations) if kind == Sums.name else _PROGRAMS[kind]()
    return ProposerSolver(
        tasks,
        solvers=solvers,
        pay=Payment(pay),
        explain=explain,
        illegal=illegal,
        tries=tries,
        render_mode=render_mode,
    )


env, parallel_env = forms(raw_env)
