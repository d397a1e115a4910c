"""The meter: registers, tariffs, demand, billing, profile, pulses and display of a type-approved CT meter."""
