"""A worker that cannot be imported."""

import no_such_module_anywhere
