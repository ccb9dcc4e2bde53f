"""simbench: replay recorded exchange multicast, receive it by kernel bypass, build the books and prove all of it."""

__version__ = "0.1.0"
