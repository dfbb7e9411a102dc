"""From a label config to what is learned, and from answers back to regions."""
