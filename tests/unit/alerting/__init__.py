"""Tests: unit/alerting."""
