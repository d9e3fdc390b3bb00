"""What ``./tom`` does in its virtual environment: private servers on loopback, the demo, the tests.

Nothing here imports Django, and production uses nothing of it.
"""


class LocalServerError(Exception):
    """Something a person at the terminal can act on; the message says what."""
