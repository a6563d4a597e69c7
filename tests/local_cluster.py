"""A Ray cluster of several nodes on this machine."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from palaestra.agents.spread.cluster import load_ray

MEMORY = 80 * 2**20


@contextmanager
def local_cluster(nodes: int, cpus: int = 2, modules: Path | None = None) -> Iterator[Any]:
    """A head without processors, so that nothing is played on it, and nodes that may be removed.

    Args:
        nodes: How many.
        cpus: Of each, as declared.
        modules: Folder of worlds that the outposts shall find.
    """
    ray = load_ray()
    from ray.cluster_utils import Cluster

    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(modules or ""), before]))
    head = {"num_cpus": 0, "object_store_memory": MEMORY, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        for _ in range(nodes):
            cluster.add_node(num_cpus=cpus, object_store_memory=MEMORY)
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def when(condition: Callable[[], bool], act: Callable[[], object]) -> None:
    """Do something from outside, once it is time."""

    def watch() -> None:
        while not condition():
            time.sleep(0.005)
        act()

    threading.Thread(target=watch, daemon=True).start()
