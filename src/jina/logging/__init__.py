"""Old import paths of loggers; see `jina.observe.logging`."""
