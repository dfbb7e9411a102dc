"""The HTTP surface that Label Studio calls."""
