"""For all tests."""

import signal

# A shell starts background jobs with SIGINT ignored, and children inherit it: tests that interrupt could never end.
signal.signal(signal.SIGINT, signal.default_int_handler)
