"""How good it is: metrics, each a small pure function."""
