"""What the terminal commands share: progress, waiting, finding a project, showing its status."""
