"""The rules of care work, pure where they can be."""
