"""The peers: each a program of its own, run in an environment that is not the product's."""
