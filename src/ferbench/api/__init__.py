"""What `import ferbench` hands on, by what it is about; docs/python.md shows how to use it."""
