"""One module a sub-command of `shelfstream`; deploy.cli lists them."""
