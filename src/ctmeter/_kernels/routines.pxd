"""What is written in C: conversion, and the routines of each instruction set."""

from libc.stdint cimport uint16_t

from ctmeter._kernels.flicker_state cimport flicker_bank_t, flicker_t

cdef extern from "_kernels/convert.h" nogil:
    const double LARGEST
    enum:
        POINTS_FFT
        SPECTRUM
        SPECTRUM_PEAK
        SUB
        TAPS
        VEC
        WHOLE_GROUPS
    ctypedef struct kernels_t:
        const char *name
        void (*sub_block)(const double *, const double *, const double *, const double *, double *) noexcept nogil
        void (*add_blocks)(const double *, long, long, long, double, double, double, double, double *) noexcept nogil
        void (*edge_weights)(const double *, double, int, double *) noexcept nogil
        void (*edge)(const double *, const double *, const double *, const double *, const double *, double, double, double *) noexcept nogil
        double (*edge_square)(const double *, const double *, int, int) noexcept nogil
        void (*decimate)(const double *, int, const double *, double *) noexcept nogil
        double (*weights)(double, double, double, int, double *, double *) noexcept nogil
        void (*pointer)(double, double, double *, double *) noexcept nogil
        void (*demodulate)(const double *, long, long, int, const double *, const double *, double *, double *) noexcept nogil
        void (*append)(const double *, const double *, long, long, long, float *, long) noexcept nogil
        void (*resample)(const float *, long, double, double, int, const float *, float *, float *, float *) noexcept nogil
        void (*line_peak)(const float *, const float *, float *) noexcept nogil
        void (*transform)(float *, float *, const float *) noexcept nogil
        void (*bins)(const float *, const float *, int, const float *, const float *, float *, float *) noexcept nogil
        void (*gains)(const double *, double, double, int, float *) noexcept nogil
        void (*bin_power)(const float *, const float *, int, float *) noexcept nogil
        void (*groups)(const float *, int, int, int, float *) noexcept nogil
        void (*whole_groups)(const float *, int, int, float *) noexcept nogil
        void (*flicker)(const flicker_t *, flicker_bank_t *, const double *, long, int, long, long) noexcept nogil
    ctypedef enum raw_t:
        RAW_I16
        RAW_I32
        RAW_F32
        RAW_F64
    ctypedef struct lanes_t:
        int column[8]
        double scale[8]
        double offset[8]
        double low[8]
        double high[8]
        double missing[8]
        int line
        int derive_3
        int derive_i2
    const kernels_t *choose_kernels(const char *name) noexcept
    void plan(lanes_t *) noexcept
    void derive_lanes "derive" (const lanes_t *, long, double *, double *, uint16_t *) noexcept
    void fetch(const char *, ptrdiff_t, long) noexcept
    int convert(const kernels_t *, const lanes_t *, raw_t, const char *, ptrdiff_t, ptrdiff_t, long, long,
                double *, double *, uint16_t *) noexcept
