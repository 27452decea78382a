"""The version, kept on the floor so that every room can read it without importing the package."""

__version__ = "0.1.0"
