"""Processes, Redis and the hint-and-lock protocol the jobs run under."""
