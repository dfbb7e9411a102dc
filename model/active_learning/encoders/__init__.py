"""Networks that ship inside an installed package: numbers in, embeddings out."""
