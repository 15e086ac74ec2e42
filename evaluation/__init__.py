"""What a network and its codes are worth: scores, baselines to compare with, metrics."""
