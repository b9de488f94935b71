"""Processes of ours: what a child is told, how it is started and watched, and how classes reach it."""
