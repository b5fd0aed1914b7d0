"""Questions and help over the terminal browser's screen."""
