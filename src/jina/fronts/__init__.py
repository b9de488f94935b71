"""Bytes to Calls and Replies to bytes, one front a protocol. Fronts translate; they decide nothing."""
