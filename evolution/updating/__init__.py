"""Third phase: turn experience into an update of the weights."""
