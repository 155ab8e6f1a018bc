"""A worker that gives up while it loads."""

import sys

sys.exit("no licence for the model")
