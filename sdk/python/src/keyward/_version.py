"""The version of the package. It follows the server's."""

__version__ = "0.1.0"
