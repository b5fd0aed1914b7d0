"""The terminal browser: `skypool tui`. Only its `screens` and `widgets` need Textual."""
