"""One learner a file: labelled rows in, a fitted model out."""
