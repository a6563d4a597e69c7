"""Updates in context: what an agent is told changes, and its weights do not."""
