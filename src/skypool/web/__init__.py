"""The Product Browser: the page, its server, and its widget in notebooks."""
