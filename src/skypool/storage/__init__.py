"""Storage: packs, the commit log, files in place; alone it writes and syncs."""
