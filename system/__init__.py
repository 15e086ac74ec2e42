"""The ground: errors and exit codes, whole files, signals, progress, rules of fields, quiet."""
