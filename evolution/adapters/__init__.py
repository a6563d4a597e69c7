"""Our environments in other people's hands: trainers and evaluations that are not ours."""
