"""What Label Studio holds, kept up to date in a local copy."""
