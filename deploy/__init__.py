"""The shelfstream command, the local stack and its supervisor, topics as code, provisioning."""
