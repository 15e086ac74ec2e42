"""Training: one run, its phases, the loop, checkpoints, transfer; several runs."""
