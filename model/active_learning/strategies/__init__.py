"""One query strategy a file, with the paper it comes from."""
