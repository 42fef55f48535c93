"""What `benchmarks/equilibrium.py` is made of."""
