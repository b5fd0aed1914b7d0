"""Helps tests, ours and others': made observations, conformance suites, crash and fault kits."""
