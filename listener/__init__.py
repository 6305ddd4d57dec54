"""Everything in Escucha that is the same for every network and every policy."""
