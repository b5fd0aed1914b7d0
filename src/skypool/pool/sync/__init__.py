"""Clones, and pools that are kept in step with each other."""
