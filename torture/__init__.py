"""Kills runs at random times and compares their ends; runs on graphs and folders that do harm."""
