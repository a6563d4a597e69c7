"""The prisoner's dilemma, for several rounds.

| | |
|---|---|
| Players | 2, who choose at the same time |
| Observation | text: the round, and what both did in those before |
| Action | text: `cooperate` or `defect` |
| Reward | at the end: the sum of the rounds, 0 to 25 |
| Illegal moves | get the least there is, and the other what cooperation pays; or `illegal="retry"`, `"random"` |

An illegal move takes effect when the round is over; `illegal="retry"` is not for `parallel_env`, where nobody can be
asked alone.

Versions: v0, the first.
"""

from palaestra.envs.arena.game import GameArena, forms
from palaestra.envs.arena.games.prisoners_dilemma import PrisonersDilemma

__all__ = ["env", "parallel_env", "raw_env", "rules"]


def rules(
    rounds: int = 5, temptation: float = 5.0, reward: float = 3.0, punishment: float = 1.0, sucker: float = 0.0
) -> PrisonersDilemma:
    """Return the rules alone."""
    return PrisonersDilemma(rounds, temptation, reward, punishment, sucker)


def raw_env(
    *,
    rounds: int = 5,
    temptation: float = 5.0,
    reward: float = 3.0,
    punishment: float = 1.0,
    sucker: float = 0.0,
    explain: bool = True,
    illegal: str = "lose",
    tries: int = 3,
    render_mode: str | None = None,
) -> GameArena:
    """Return the arena; see `PrisonersDilemma` and `Arena` for the arguments."""
    return GameArena(
        rules(rounds, temptation, reward, punishment, sucker),
        explain=explain,
        illegal=illegal,
        tries=tries,
        render_mode=render_mode,
    )


env, parallel_env = forms(raw_env)
