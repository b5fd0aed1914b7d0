"""Enumerating the states that a crash can leave (docs/design/007-crash-states.md)."""
