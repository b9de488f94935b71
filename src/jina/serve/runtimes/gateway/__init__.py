"""Old import paths of gateway classes."""
