"""What the whole of the mentions tells, read-only: spikes in it, and what drives them."""
