"""Fourth phase: evaluate what the update changed."""
