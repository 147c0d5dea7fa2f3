"""The alert fold, its outbox and its senders: people hear of what matters, once."""
