"""Jina 3's request and response objects, under their old import paths."""
