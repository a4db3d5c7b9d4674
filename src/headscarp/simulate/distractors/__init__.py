"""What changes and is no landslide."""
