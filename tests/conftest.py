"""Settings of all tests."""

from hypothesis import settings

# A slow or busy machine is no error; a failing example can be repeated on any machine.
settings.register_profile("patient", deadline=None, print_blob=True)
settings.load_profile("patient")
