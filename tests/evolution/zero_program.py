"""One of two processes of `test_zero.py`: trains tiny policies by DeepSpeed's engine and says what became of it."""

import sys
from pathlib import Path

import torch
from divided_program import newborn
from palaestra.evolution.updating.peers import Peers
from tiny import tiny_policy
from together_program import METHODS, batches, see_one_end, start

CASES = {"grpo in parts": "whole", "dapo, corrected": "tied", "gspo": "adapters", "finetune": "whole"}


def learn(name, peers, place):
    """Every batch; what is known after the first one is kept."""
    policy = newborn(CASES[name])
    updater, metrics = start(METHODS[name], policy, peers, place), []
    for number, batch in enumerate(batches(name)):
        metrics.append(updater.step(batch))
        peers.agree(policy.model)
        if number == 0:
            updater.save(place / name)
            if peers.leads:
                torch.save(policy.weights, place / name / "weights.pt")
    peers.collect("written")
    return {"weights": policy.weights, "metrics": metrics, "held": held(updater)}


def go_on(name, peers, place):
    """From what was saved after the first batch."""
    policy = newborn(CASES[name])
    policy.model.load_state_dict(torch.load(place / name / "weights.pt"), strict=False)
    updater = start(METHODS[name], policy, peers, place)
    updater.load(place / name)
    for batch in batches(name)[1:]:
        updater.step(batch)
    return policy.weights


def held(updater):
    """How many numbers of a moment of the weights are in this process, those that fill up its part too."""
    return sum(state["exp_avg"].numel() for state in updater.driver.trainer.optimizer.state.values())


def main(place):
    with Peers.join() as peers:
        assert peers.zero is not None
        found = {}
        for name in CASES:
            found[name] = learn(name, peers, place) | {"continued": go_on(name, peers, place)}
        updater = start(METHODS["grpo"], tiny_policy(), peers, place)
        see_one_end(peers, place, found, updater)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
