"""Where examples come from, how they are recorded, and how they are laid out in rows."""
