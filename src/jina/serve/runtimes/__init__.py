"""Old import paths of Jina 3's runtimes; their classes are asked for by name and come from where they live now."""
