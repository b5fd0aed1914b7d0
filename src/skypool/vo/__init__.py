"""Protocols of the Virtual Observatory: SAMP."""
