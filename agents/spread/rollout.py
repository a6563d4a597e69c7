"""A rollout whose episodes are played on many machines, while the policy learns here.

Episodes are handed out in batches cut in order from the assignments. So what is played side by side, and with it every
rounding, depends on the assignments and the size of a batch alone: not on how many outposts there are, which of them is
faster, or which dies (save for an episode that is played a third time: then it is alone).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from typing import Any

from palaestra.agents.agent import Agent
from palaestra.agents.attending import Attendant
from palaestra.agents.driving import Life
from palaestra.agents.episode import Episode
from palaestra.agents.local import LocalPolicy
from palaestra.agents.policy import IntArray
from palaestra.agents.rollout import Assignment, Rollout
from palaestra.agents.spread.cluster import connect, load_ray
from palaestra.agents.spread.ledger import Ledger
from palaestra.agents.spread.outpost import Order
from palaestra.agents.spread.parcel import pack, pack_weights, save_policy
from palaestra.agents.spread.posts import Posts, Work
from palaestra.agents.spread.settings import Spread
from palaestra.envs import catalogue
from palaestra.envs.errors import UsageError
from palaestra.envs.text_env import TextEnv
from palaestra.envs.verdict import Status, Verdict

__all__ = ["SpreadRollout"]


@dataclass
class _Sent:
    """What is in the cluster's memory; shared by the rollouts of one policy, whose agents differ."""

    posts: Posts | None = None
    begun: bool = False
    weights: list[Any] = field(default_factory=list)
    weights_digest: str = ""
    version: int | None = None
    agents: dict[str, Any] = field(default_factory=dict)


class SpreadRollout(Rollout):
    """Plays episodes on a Ray cluster.

    Args:
        agent: Who plays all of them; a policy of its must be a local one, and is copied.
        spread: Over what.
        make: Builds the environment of a spec; it is sent along.
    """

    def __init__(
        self, agent: Agent, spread: Spread | None = None, *, make: Callable[[str], TextEnv] = catalogue.make
    ) -> None:
        if agent.policy is not None and not isinstance(agent.policy, LocalPolicy):
            raise UsageError(
                f"{agent.name} cannot be copied to other machines: an outpost plays with a local policy, with an agent "
                "on a server, or with a scripted one. Leave out --executor."
            )
        super().__init__(agent, make=make)
        self.spread = spread or Spread()
        self._sent = _Sent()

    def apart(self, agent: Agent) -> Rollout:
        """Refuse: an outpost plays a batch from beginning to end with weights of one version."""
        raise UsageError(f"{agent.name} cannot play ahead on other machines: leave out --staleness or --executor.")

    def live(
        self, attendant: Attendant, assignment: Assignment, on_versions: Callable[[IntArray], None] | None = None
    ) -> Life[Episode]:
        """Refuse: single lives are not lived here."""
        del attendant, on_versions
        raise UsageError(f"{assignment.id} would be played in this process: use `play` or `stream`, or a Rollout.")

    def play(
        self, assignments: Sequence[Assignment], on_episode: Callable[[Episode], None] | None = None
    ) -> list[Episode]:
        """Play every assignment; see `Rollout.play`.

        An episode over which outposts were lost again and again is there, invalid.

        Raises:
            SynchronisationError: If an outpost has other weights than the policy here.
            InfrastructureError: If no outpost can be started.
            RefusedError: If a service that the agent asks refuses to go on.
        """
        found: dict[int, Episode] = {}

        def ended(position: int, episode: Episode) -> None:
            found[position] = episode
            if on_episode is not None:
                on_episode(episode)

        self._spread_out(assignments, ended)
        return [found[position] for position in sorted(found)]

    def stream(self, assignments: Iterable[Assignment], on_episode: Callable[[Episode], None]) -> None:
        """Play assignments as they come and keep none of the episodes; see `Rollout.stream`."""
        self._spread_out(assignments, lambda _, episode: on_episode(episode))

    def close(self) -> None:
        """Let the outposts go, and the cluster, if it was begun for them."""
        sent = self._sent
        if sent.posts is not None:
            sent.posts.close()
        if sent.begun:
            load_ray().shutdown()
        self._sent = _Sent()

    def _spread_out(self, assignments: Iterable[Assignment], ended: Callable[[int, Episode], None]) -> None:
        posts, order = self._posts(), self._order()

        def give_up(position: int, assignment: Assignment, reason: str) -> None:
            ended(position, self._lost(assignment, reason))

        def spent(seconds: dict[str, float]) -> None:
            # What all outposts do at the same time counts once.
            for kind, one in seconds.items():
                self.meter.add(kind, one / posts.count)

        posts.do(Work(Ledger(assignments, self.spread.batch), order, ended, give_up, spent))

    def _posts(self) -> Posts:
        sent = self._sent
        if sent.posts is None:
            sent.begun = connect(self.spread.address)
            policy = self.agent.policy
            saved = [load_ray().put(save_policy(policy))] if isinstance(policy, LocalPolicy) else []
            sent.posts = Posts(self.spread, saved, pack(self._make, None))
        return sent.posts

    def _order(self) -> Callable[[tuple[Assignment, ...]], Order]:
        """Have the agent and the weights of now in the cluster's memory, and return what makes orders with them."""
        sent, put, policy = self._sent, load_ray().put, self.agent.policy
        if isinstance(policy, LocalPolicy) and sent.version != policy.version:
            weights = pack_weights(policy)
            sent.weights, sent.weights_digest, sent.version = [put(weights)], weights.digest, policy.version
        packed = pack(self.agent, policy)
        digest = blake2b(packed, digest_size=16).hexdigest()
        if digest not in sent.agents:
            sent.agents[digest] = put(packed)
        return partial(
            Order,
            agent=[sent.agents[digest]],
            agent_digest=digest,
            weights=sent.weights,
            weights_digest=sent.weights_digest,
            version=sent.version or 0,
        )

    def _lost(self, assignment: Assignment, reason: str) -> Episode:
        return Episode(
            assignment.id,
            assignment.env,
            assignment.task.id,
            assignment.task.fingerprint,
            assignment.group,
            assignment.attempt,
            assignment.seed,
            self.agent.name,
            (),
            Verdict(0.0, Status.INFRASTRUCTURE, reason),
        )
