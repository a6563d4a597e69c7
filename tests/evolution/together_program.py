"""One of the processes of `test_together.py`: trains tiny policies with the others and says what became of it."""

import os
import sys
from pathlib import Path

import torch
from palaestra.agents.policy import Sampling
from palaestra.envs.errors import DivergenceError, PeerError
from palaestra.envs.seeding import derive_generator
from palaestra.evolution.updating.finetune import Finetune
from palaestra.evolution.updating.peers import Peers
from palaestra.evolution.updating.policy_gradient import PolicyGradient, variant
from palaestra.evolution.updating.updater import Beginning
from tiny import largest_difference, make_episode, sampled_batch, tiny_policy

METHODS = {
    "grpo": variant("grpo", learning_rate=1e-3),
    "grpo in parts": variant("grpo", learning_rate=1e-3, kl=0.1, micro_rows=4, updates_per_batch=2),
    "dr_grpo": variant("dr_grpo", learning_rate=1e-3),
    "dapo, corrected": variant("dapo", learning_rate=1e-3, correction="truncate", correction_cap=1.05),
    "gspo": variant("gspo", learning_rate=1e-3),
    "finetune": Finetune(start_from="base", learning_rate=1e-3, epochs=2, batch_rows=8, micro_rows=3),
}


def batches(name):
    """Uneven ones: 21 rows, then 14 of which some teach nothing, then one row only, for fine-tuning."""
    sampler = tiny_policy()
    found = [sampled_batch(sampler, derive_generator(0, name, i), groups=3 - i, attempts=7) for i in range(2)]
    return [*found, [make_episode(sampler, [([2, 3], [4, 5, 6])], [1.0])]] if name == "finetune" else found


def start(method, policy, peers, scratch):
    return method.start(policy, Beginning(0, 4, Sampling(max_tokens=4), scratch, peers=peers))


def trained(name, peers, scratch):
    policy = tiny_policy()
    updater, metrics = start(METHODS[name], policy, peers, scratch), []
    for batch in batches(name):
        metrics.append(updater.step(batch))
        peers.agree(policy.model)
    moments = [state["exp_avg"].clone() for state in updater.driver.trainer.optimizer.state.values()]
    return {"weights": policy.weights, "metrics": metrics, "moments": moments}


def failure(work):
    try:
        work()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


def fails_in_one(peers, scratch):
    """The last process breaks in the middle of its own rows."""
    policy = tiny_policy()
    updater = start(PolicyGradient(micro_rows=4), policy, peers, scratch)
    if peers.rank == peers.size - 1:
        trainer, calls = updater.driver.trainer, []
        step = trainer.training_step

        def breaking(*args):
            calls.append(args)
            if len(calls) == 2:
                raise MemoryError("no room for row 7")
            return step(*args)

        trainer.training_step = breaking
    said = failure(lambda: updater.step(batches("grpo")[0]))
    return said, largest_difference(policy.weights, tiny_policy().weights) == 0.0


def differs_in_one(peers, scratch):
    policy = tiny_policy()
    start(PolicyGradient(), policy, peers, scratch).step(batches("grpo")[0])
    peers.agree(policy.model)
    if peers.rank == peers.size - 1:
        weight = policy.model.model.layers[1].mlp.up_proj.weight.data
        weight[3, 5] = torch.nextafter(weight[3, 5], torch.tensor(10.0))
    return failure(lambda: peers.agree(policy.model))


def see_one_end(peers, place, found, updater):
    """Write down what was found; the last process ends as one that was killed, the first tells what it sees of that."""
    torch.save(found, place / f"process-{peers.rank}.pt")
    if peers.rank == peers.size - 1:
        os._exit(9)
    found["dies"] = failure(lambda: updater.step(batches("grpo")[0]))
    torch.save(found, place / f"process-{peers.rank}.pt")


def main(place):
    with Peers.join() as peers:
        found = {name: trained(name, peers, place) for name in METHODS}
        found |= {"fails": fails_in_one(peers, place), "differs": differs_in_one(peers, place)}
        assert DivergenceError.__name__ in found["differs"]
        updater = start(PolicyGradient(), tiny_policy(), peers, place)
        see_one_end(peers, place, found, updater)
        assert PeerError.__name__ in found["dies"], found["dies"]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
