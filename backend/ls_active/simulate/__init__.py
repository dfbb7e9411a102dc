"""Replay the loop on data whose labels are known, and compare strategies."""
