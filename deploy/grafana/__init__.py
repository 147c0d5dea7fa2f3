"""The Grafana dashboard as code: queries, panels and provisioning files."""
