"""The sections of a report, each made from the material it shows."""
