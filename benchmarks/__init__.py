"""Side-by-side timings; not part of the package."""
