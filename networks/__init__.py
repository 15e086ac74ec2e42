"""The networks and what they are made of; saved graphs, read and written; the session."""
