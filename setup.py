"""The compiled core: extension and compiler flags only; everything else stands in pyproject.toml."""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

# CTMETER_DEBUG=1 builds the core with bounds checks, assertions and the undefined-behaviour sanitizer,
# in a folder of its own so that it never mixes with the release build.
DEBUG = os.environ.get("CTMETER_DEBUG", "0") not in ("", "0")
BUILD = "build/debug" if DEBUG else "build"

# No -ffast-math, no -march=native, no contraction: the same bits on every machine.
FLAGS = ["-std=c11", "-ffp-contract=off", "-fno-math-errno", "-Wall", "-Wno-unused-function"]
RELEASE = ["-O3", "-g0"]
CHECKED = ["-O1", "-g", "-DCTMETER_DEBUG", "-fsanitize=undefined", "-fno-sanitize-recover=undefined"]

extension = Extension(
    "ctmeter._dsp",
    ["src/ctmeter/_dsp.pyx"],
    include_dirs=["src/ctmeter"],
    depends=[str(p) for p in sorted(Path("src/ctmeter/_kernels").glob("*")) if p.suffix in (".h", ".pxd")],
    extra_compile_args=FLAGS + (CHECKED if DEBUG else RELEASE),
    extra_link_args=["-fsanitize=undefined"] if DEBUG else [],
)

setup(
    ext_modules=cythonize(
        [extension],
        build_dir=f"{BUILD}/cython",
        compiler_directives={
            "language_level": 3,
            "boundscheck": DEBUG,
            "wraparound": False,
            "cdivision": True,
            "initializedcheck": DEBUG,
            "embedsignature": True,
            "freethreading_compatible": True,
        },
    ),
    options={"build": {"build_base": BUILD}},
)
