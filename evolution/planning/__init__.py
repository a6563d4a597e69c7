"""What a run will take, before it is begun: unit costs that were measured, a workload, machines; and what follows."""
