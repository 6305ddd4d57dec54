"""What the whole of the mentions tells, read-only: spikes in it, what drives them, and what came of an incident."""
