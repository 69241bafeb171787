"""`python -m ferbench` is `ferbench`."""

from ferbench.cli.main import main

if __name__ == "__main__":
    main()
