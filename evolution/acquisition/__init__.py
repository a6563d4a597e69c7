"""First phase: acquire experience."""
