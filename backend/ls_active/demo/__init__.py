"""`ls-active demo`: a Label Studio of our own, real texts and a scripted annotator."""
