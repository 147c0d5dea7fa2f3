"""Tests: unit/simulators."""
