"""Print the README's set-up commands, one a line, so that what is documented is what is run."""

import re
import sys
from pathlib import Path

MARKER = re.compile(r"<!-- command: (?P<name>[a-z-]+) -->\n```bash\n(?P<command>[^\n]+)\n```")


def readme_commands(text: str) -> dict[str, str]:
    """Return the commands that stand behind a ``<!-- command: name -->`` marker, by name.

    Raises
    ------
    ValueError
        If one of the two that the checks run is missing.
    """
    commands = {match["name"]: match["command"] for match in MARKER.finditer(text)}
    missing = {"demo", "tests"} - set(commands)
    if missing:
        raise ValueError(
            f"Expected <!-- command: name --> before a one-line bash block for {sorted(missing)}."
        )
    return commands


if __name__ == "__main__":
    readme = Path(__file__).resolve().parent.parent / "README.md"
    sys.stdout.write(readme_commands(readme.read_text(encoding="utf-8"))[sys.argv[1]] + "\n")
