"""Kills runs at random times, damages what they saved, and compares their ends bit for bit."""
