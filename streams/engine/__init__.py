"""The runner of any fold: frames in, one fenced transaction a partition out, bulk restore."""
