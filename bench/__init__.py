"""The product's training timed against the same networks trained in other ways."""
