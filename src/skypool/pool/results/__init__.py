"""Results of searches: cursors, their order, tables and counts, and searches that are kept."""
