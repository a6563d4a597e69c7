"""Writers: what puts the observations and actions of a PettingZoo environment into words."""
