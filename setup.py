"""The compiled core: extension and compiler flags only; everything else stands in pyproject.toml."""

import os

from Cython.Build import cythonize
from setuptools import Extension, setup

# CTMETER_DEBUG=1 builds the core with bounds checks, assertions and the undefined-behaviour sanitizer.
DEBUG = os.environ.get("CTMETER_DEBUG", "0") not in ("", "0")

# No -ffast-math, no -march=native, no contraction: the same bits on every machine.
FLAGS = ["-std=c11", "-ffp-contract=off", "-fno-math-errno", "-Wall", "-Wno-unused-function"]
RELEASE = ["-O3", "-g0"]
CHECKED = ["-O1", "-g", "-DCTMETER_DEBUG", "-fsanitize=undefined", "-fno-sanitize-recover=undefined"]

extension = Extension(
    "ctmeter._dsp",
    ["src/ctmeter/_dsp.pyx"],
    extra_compile_args=FLAGS + (CHECKED if DEBUG else RELEASE),
    extra_link_args=["-fsanitize=undefined"] if DEBUG else [],
)

setup(
    ext_modules=cythonize(
        [extension],
        compiler_directives={
            "language_level": 3,
            "boundscheck": DEBUG,
            "wraparound": False,
            "cdivision": True,
            "initializedcheck": DEBUG,
            "embedsignature": True,
            "freethreading_compatible": True,
        },
        force=DEBUG,
    )
)
