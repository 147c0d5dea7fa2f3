"""The local stack: its parts, how they are installed, supervised, looked at and ended."""
