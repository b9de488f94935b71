"""Sockets under the wire cores."""
