"""The site: how it is built; not part of the package."""
