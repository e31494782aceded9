"""The command line as a module: `python -m passersby`."""

from passersby.cli.app import app

if __name__ == "__main__":
    app()
