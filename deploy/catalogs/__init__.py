"""Catalogues that ship: examples to begin with."""
