"""The operator's views: read committed topics, write only commands."""
