"""A shim before the C library that fails the k-th call which writes to a file whose path contains a text; for child processes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char text[256];
static long at, seen, by_kind[4];
static int number, mode;  /* mode: 0 that call alone, 1 all from then on, 2 that one half, and all after it */

void faults_arm(const char *needle, long k, int error, int how) {
    snprintf(text, sizeof text, "%s", needle);
    at = k; seen = 0; number = error; mode = how;
}
long faults_seen(void) { return seen; }
long faults_of(int kind) { return by_kind[kind]; }

/* 0: go on, 1: fail, 2: write half */
static int verdict(int fd, int kind) {
    char link[64], path[4096];
    ssize_t n;
    if (!text[0]) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof path - 1);
    if (n < 0) return 0;
    path[n] = 0;
    if (!strstr(path, text)) return 0;
    by_kind[kind]++;
    seen++;
    if (seen < at || (seen > at && mode == 0)) return 0;
    if (seen == at && mode == 2 && kind == 0) return 2;
    errno = number;
    return 1;
}
static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

#define WRITES(name, parameters, arguments)                                  \
    ssize_t name parameters {                                                \
        static ssize_t(*next) parameters;                                    \
        int v = verdict(fd, 0);                                              \
        if (!next) *(void **)&next = real(#name);                            \
        if (v == 1) return -1;                                               \
        if (v == 2) size /= 2;                                               \
        return next arguments;                                               \
    }
#define OTHERS(name, kind, parameters, arguments)                            \
    int name parameters {                                                    \
        static int(*next) parameters;                                        \
        if (verdict(fd, kind)) return -1;                                    \
        if (kind < 3) return 0; /* the medium is not what is tested */       \
        if (!next) *(void **)&next = real(#name);                            \
        return next arguments;                                               \
    }
WRITES(write, (int fd, const void *data, size_t size), (fd, data, size))
WRITES(pwrite, (int fd, const void *data, size_t size, off_t place), (fd, data, size, place))
WRITES(pwrite64, (int fd, const void *data, size_t size, off64_t place), (fd, data, size, place))
OTHERS(fsync, 1, (int fd), (fd))
OTHERS(fdatasync, 2, (int fd), (fd))
OTHERS(ftruncate, 3, (int fd, off_t size), (fd, size))
OTHERS(ftruncate64, 3, (int fd, off64_t size), (fd, size))
"""


def compile_shim(folder: Path) -> Path:
    """The compiled shim; skips where there is no compiler."""
    if shutil.which("gcc") is None:
        pytest.skip("no gcc to compile the shim that injects faults")
    (folder / "faults.c").write_text(SOURCE)
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", "faults.so", "faults.c", "-ldl"], cwd=folder, check=True, timeout=60)
    return folder / "faults.so"


def run_child(program: str, *arguments: str, shim: Path | None = None, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """Run a program text in a process that finds our packages, behind the shim where it is given."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    if shim is not None:
        environment["LD_PRELOAD"] = str(shim)
    return subprocess.run([sys.executable, "-c", program, *arguments], env=environment, capture_output=True, text=True, timeout=timeout)
