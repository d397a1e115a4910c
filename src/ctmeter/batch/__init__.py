"""Batches: from folders of recordings to one data set."""
