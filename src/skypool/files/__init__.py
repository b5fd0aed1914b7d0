"""Files from elsewhere: the archive of Herschel."""
