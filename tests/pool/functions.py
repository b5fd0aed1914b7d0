"""Functions that processes of their own can import."""

import os


def bright(product):
    """Say whether a product is bright, or fail for some."""
    number = product.meta["n"].value
    if number % 10 == 7:
        raise ValueError(f"no {number}")
    return float(product["image"].max()) > 50


def elsewhere(product):
    """Say whether this runs in another process than the one that is named."""
    return os.getpid() != product.meta["pid"].value
