"""The parts of the terminal browser's screen."""
