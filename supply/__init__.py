"""What the image is made of: a list of it, and what is known against it."""
