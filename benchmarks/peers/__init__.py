"""Other ways to compute the same, to be compared with.

`numpy_meter` is a vectorised program in NumPy and SciPy. A module for each further peer has its place
here; it is a function of raw frames and scales that returns columns, and its test skips where the
peer is not installed.
"""
