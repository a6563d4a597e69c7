"""Second phase: refine experience."""
