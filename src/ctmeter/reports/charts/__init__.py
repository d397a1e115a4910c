"""Charts as inline SVG: text stays text, nothing is loaded, the same values give the same bytes."""
