"""Other ways to compute the same, to be compared with.

`numpy_meter` is a vectorised program in NumPy and SciPy, with its parts `numpy_spectra` and `numpy_flicker`;
`pqopen_meter` runs pqopen-lib, where it is installed. Each is a function of raw frames and scales that returns
columns. A module for each further peer has its place here; its test skips where the peer is not installed.
"""
