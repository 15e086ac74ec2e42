"""Kills runs at random times and compares their ends; runs on graphs that do harm."""
