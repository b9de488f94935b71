"""Handlers joined with IO."""
