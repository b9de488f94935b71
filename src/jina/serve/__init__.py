"""Old import paths of Jina 3; everything here is defined elsewhere."""
