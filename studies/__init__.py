"""Questions that need several runs, and what they found together."""
