"""A song goes in as audio; the same song comes out in another genre, editable at every step."""

__version__ = "0.1.0"
