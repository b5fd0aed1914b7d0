"""The names of HIPE over pools."""
