"""One kind of data a file: task values in, rows of features out."""
