"""One of the processes of `test_divided.py`: trains its part of tiny policies, and goes on from what was saved."""

import sys
from pathlib import Path

import torch
from palaestra.evolution.updating.in_turn import UpdateInTurn
from palaestra.evolution.updating.peers import Peers
from palaestra.evolution.updating.policy_gradient import PolicyGradient
from peft import LoraConfig, get_peft_model
from tiny import tiny_policy
from together_program import METHODS, batches, failure, see_one_end, start
from torch.distributed.tensor import DTensor

CASES = {
    "grpo in parts": "whole",
    "dapo, corrected": "tied",
    "gspo": "adapters",
    "finetune": "whole",
}


def newborn(kind):
    policy = tiny_policy(tie_word_embeddings=kind == "tied")
    if kind == "adapters":
        with torch.random.fork_rng():
            torch.manual_seed(0)
            plan = LoraConfig(task_type="CAUSAL_LM", r=4, target_modules="all-linear", init_lora_weights=False)
            policy.model = get_peft_model(policy.model, plan)
    return policy


def moments(updater):
    """By the order of weights; of divided ones all processes must ask."""
    found = [state["exp_avg"] for state in updater.driver.trainer.optimizer.state.values()]
    return [one.full_tensor() if isinstance(one, DTensor) else one.clone() for one in found]


def learn(name, peers, scratch):
    """Every batch; what a first process knows after the first one is kept."""
    policy = newborn(CASES[name])
    updater, metrics = start(METHODS[name], policy, peers, scratch), []
    for number, batch in enumerate(batches(name)):
        metrics.append(updater.step(batch))
        if number == 0:
            updater.save(scratch / name)
            if peers.leads:
                torch.save(policy.weights, scratch / name / "weights.pt")
    peers.collect("written")
    return {"weights": policy.weights, "metrics": metrics, "moments": moments(updater), "held": held(updater)}


def go_on(name, peers, scratch):
    """From what was saved after the first batch."""
    policy = newborn(CASES[name])
    policy.model.load_state_dict(torch.load(scratch / name / "weights.pt"), strict=False)
    updater = start(METHODS[name], policy, peers, scratch)
    updater.load(scratch / name)
    for batch in batches(name)[1:]:
        updater.step(batch)
    return {"weights": policy.weights, "moments": moments(updater)}


def held(updater):
    """How many numbers of trained weights, and of a moment of them, are in this process."""
    driver = updater.driver
    trained = [weight for weight in driver.model.parameters() if weight.requires_grad]
    first = [state["exp_avg"] for state in driver.trainer.optimizer.state.values()]
    parts = [[one.to_local() if isinstance(one, DTensor) else one for one in some] for some in (trained, first)]
    return [sum(part.numel() for part in some) for some in parts]


def main(place):
    with Peers.join() as peers:
        found = {}
        for name in CASES:
            whole, continued = learn(name, peers, place), go_on(name, peers, place)
            known = {"whole": whole, "continued": continued, "place": str(place)}
            found[name] = known if peers.leads else {"held": whole["held"]}
        turns = UpdateInTurn((1, 1), (PolicyGradient(), PolicyGradient()))
        found["in turn"] = failure(lambda: start(turns, tiny_policy(), peers, place))
        updater = start(PolicyGradient(), tiny_policy(), peers, place)
        see_one_end(peers, place, found, updater)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
