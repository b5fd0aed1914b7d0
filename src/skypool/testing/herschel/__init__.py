"""The parts of the made observation: sky, headers, products, and how they are written."""
