"""How crawlers do on unseen pages: the share of each of the ways in which one can end."""

from collections import Counter
from collections.abc import Sequence

from palaestra.agents.episode import Episode
from palaestra.envs.reading.crawl.environment import Crawl
from palaestra.envs.reading.crawl.judge import Executed
from palaestra.evolution.yard import Yard

__all__ = ["execution_figures"]


def execution_figures(yard: Yard, greedy: Sequence[Episode]) -> dict[str, float]:
    """Return `executed KIND`, the share of valid greedy episodes that ended so, for each kind of `Executed`.

    Where no program could be run at all, that is un-executable. Empty in other worlds than `palaestra/Crawl-v0`.
    """
    played = [e for e in greedy if e.valid and isinstance(yard.rollout.env(e.env), Crawl)]
    if not played:
        return {}
    known = {str(kind) for kind in Executed}
    words = (episode.verdict.detail.partition(" ")[0].rstrip(":") for episode in played)
    counts = Counter(word if word in known else str(Executed.UNEXECUTABLE) for word in words)
    return {f"executed {kind}": counts[str(kind)] / len(played) for kind in Executed}
