"""How the nets of a bundle are stored: the default of each, what it costs in fidelity, and what is refused."""
