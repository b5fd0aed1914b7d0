"""The sky: directions, regions, and where images are, without any pool."""
