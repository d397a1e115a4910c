"""Writers: one per format, found by `Recording.write` through the entry points `ctmeter.writers`.

An entry point names an object with `name`, `extensions` (lower case, with the dot) and `write(recording, path, **options)`.
Files appear whole or not at all, and recordings are read block by block, so that memory stays flat.
"""
