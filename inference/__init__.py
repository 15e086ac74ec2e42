"""What a finished run is used for: codes, scores, labels, generated pictures."""
