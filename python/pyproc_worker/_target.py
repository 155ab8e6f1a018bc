"""Targets without a script of their own: `MODULE`, and `MODULE:FUNCTION` for code that never heard of pyproc."""

from __future__ import annotations

import difflib
import os
import sys
from typing import Any

from pyproc_worker._errors import NoFunctionError, TargetError
from pyproc_worker._expose import Exposure, exposure_of, registry
from pyproc_worker._function import Function, load


def load_target(target: str) -> list[Function]:
    """Imports a module and makes the function table of a target.

    Args:
        target: `package.module` for what it exposes, `package.module:function` for this one function.

    Raises:
        TargetError: If there is no such module, or it has no such function.
        NoFunctionError: If the module exposes nothing.
    """
    module_name, _, path = target.partition(":")
    _import(module_name)
    module = sys.modules[module_name]
    if path:
        return load([registry.find(path) or _find(module, module_name, path)], health=False)
    exposures = registry.exposures()
    if not exposures:
        raise NoFunctionError(
            f"{module_name} exposes no function: put @expose above one, or name one as {module_name}:FUNCTION",
        )
    return load(exposures)


def _import(name: str) -> None:
    try:
        __import__(name)
    except ModuleNotFoundError as error:
        # One that this module itself looks for in vain is the business of its author.
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise TargetError(
            f"there is no module `{error.name}` in {os.getcwd()} or among the packages of {sys.executable}"
        ) from None


def _find(module: Any, module_name: str, path: str) -> Exposure:
    found: Any = module
    for name in path.split("."):
        if not hasattr(found, name):
            names = [known for known in dir(found) if not known.startswith("_")]
            nearest = difflib.get_close_matches(name, names, n=1)
            hint = f"; did you mean `{nearest[0]}`?" if nearest else ""
            raise TargetError(f"module `{module_name}` has no function `{path}`{hint}")
        found = getattr(found, name)
    if not callable(found):
        raise TargetError(f"`{path}` of module `{module_name}` is not a function")
    for exposure in registry.exposures():
        if exposure.function is found:
            return exposure
    return exposure_of(found, name=path)
