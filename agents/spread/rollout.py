"""A rollout whose episodes are played on many machines, while the policy learns here.

Episodes are handed out in batches cut in order from the assignments. So what is played side by side, and with it every
rounding, depends on the assignments and the size of a batch alone: not on how many outposts there are, which of them is
faster, or which dies (save for an episode that is played a third time: then it is alone).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from typing import Any, NamedTuple

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


class _Weights(NamedTuple):
    reference: Any
    digest: str
    version: int


@dataclass
class _Sent:
    """What is in the cluster's memory; shared by the rollouts of one policy, whose agents differ."""

    posts: Posts | None = None
    begun: bool = False
    weights: _Weights | None = None
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
        """Refuse: outposts play with the agent's own policy; see `follow`."""
        raise UsageError(f"{agent.name} cannot speak for another policy on other machines.")

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

    def follow(
        self, assignments: Iterator[Assignment], ended: Callable[[int, Episode], None], watch: Callable[[], None]
    ) -> None:
        """Play what there is now with the weights handed over last, and return when all of it has ended.

        To be called on a thread of its own while the policy learns. A batch is played to its end with the weights that
        it was begun with. Other work on the same outposts goes first.

        Args:
            assignments: Stops when nothing is there now, and may be asked again.
            ended: Told of each episode, with its place among the assignments taken.
            watch: Called now and then; what it raises ends the work.

        Raises:
            InfrastructureError: If no outpost can be started.
        """
        posts, agent = self._posts(), self._packed_agent()
        taken = _Taken(assignments, posts)
        posts.do(self._work(taken, partial(self._order, agent), ended, patient=False, watch=watch))

    def hand_over(self) -> None:
        """Have the weights of now in the cluster's memory, for all batches that begin from now on."""
        self._posts()
        sent, policy = self._sent, self.agent.policy
        if isinstance(policy, LocalPolicy) and (sent.weights is None or sent.weights.version != policy.version):
            packed = pack_weights(policy)
            sent.weights = _Weights(load_ray().put(packed), packed.digest, policy.version)

    def close(self) -> None:
        """Let the outposts go, and the cluster, if it was begun for them."""
        sent = self._sent
        if sent.posts is not None:
            sent.posts.close()
        if sent.begun:
            load_ray().shutdown()
        self._sent = _Sent()

    def _spread_out(self, assignments: Iterable[Assignment], ended: Callable[[int, Episode], None]) -> None:
        posts = self._posts()
        self.hand_over()
        posts.do(self._work(assignments, partial(self._order, self._packed_agent()), ended))

    def _work(
        self,
        assignments: Iterable[Assignment],
        order: Callable[[tuple[Assignment, ...]], Order],
        ended: Callable[[int, Episode], None],
        **more: Any,
    ) -> Work:
        posts = self._posts()

        def give_up(position: int, assignment: Assignment, reason: str) -> None:
            ended(position, self._lost(assignment, reason))

        def spent(seconds: dict[str, float]) -> None:
            # What all outposts do at the same time counts once.
            for kind, one in seconds.items():
                self.meter.add(kind, one / posts.count)

        return Work(Ledger(assignments, self.spread.batch), order, ended, give_up, spent, **more)

    def _posts(self) -> Posts:
        sent = self._sent
        if sent.posts is None:
            sent.begun = connect(self.spread.address)
            policy = self.agent.policy
            saved = [load_ray().put(save_policy(policy))] if isinstance(policy, LocalPolicy) else []
            sent.posts = Posts(self.spread, saved, pack(self._make, None))
        return sent.posts

    def _packed_agent(self) -> str:
        """Have the agent in the cluster's memory, and return its digest."""
        packed = pack(self.agent, self.agent.policy)
        digest = blake2b(packed, digest_size=16).hexdigest()
        if digest not in self._sent.agents:
            self._sent.agents[digest] = load_ray().put(packed)
        return digest

    def _order(self, agent: str, assignments: tuple[Assignment, ...]) -> Order:
        weights = self._sent.weights  # read once: another thread may hand over new ones
        return Order(
            assignments,
            agent=[self._sent.agents[agent]],
            agent_digest=agent,
            weights=[] if weights is None else [weights.reference],
            weights_digest="" if weights is None else weights.digest,
            version=0 if weights is None else weights.version,
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


class _Taken:
    """Assignments as they come, none while somebody else waits for the outposts; it goes on where it stopped."""

    def __init__(self, assignments: Iterator[Assignment], posts: Posts) -> None:
        self._assignments, self._posts = assignments, posts

    def __iter__(self) -> "_Taken":
        return self

    def __next__(self) -> Assignment:
        if self._posts.awaited:
            raise StopIteration
        return next(self._assignments)
