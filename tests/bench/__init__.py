"""`make bench`: how fast the service is, beside what else a team could run on the same machine."""
