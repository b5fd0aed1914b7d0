"""Pools: adding, saving, finding, versions, tags, export and maintenance."""
