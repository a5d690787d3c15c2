"""`python -m genrec.cli`, for where the command is not on the path."""

from genrec.cli import main

main()
