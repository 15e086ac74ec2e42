"""What the sources claim, what this project measures, and whether it holds."""
