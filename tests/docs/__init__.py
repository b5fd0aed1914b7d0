"""The documentation: every block of it runs, everything public is in it, it builds as a site."""
