"""What the bundled model is made with."""
