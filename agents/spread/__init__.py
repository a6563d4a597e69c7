"""Episodes on many machines: a ledger of who plays what, outposts that play, and the rollout that stands for them."""
