"""One project's loop: adopt, learn, rank, publish."""
