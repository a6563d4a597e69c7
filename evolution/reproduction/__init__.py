"""Published claims in miniature: what is claimed beforehand, the runs that test it, and what they found."""
