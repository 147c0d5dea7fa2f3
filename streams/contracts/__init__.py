"""What streams publishes: stock state, the movements ledger, events, plans, alert inputs."""
