"""What we keep: projects, their versions and publications, and secrets."""
