"""Making an app's output safe for a terminal. It passes colours and drops everything else a terminal obeys."""

import re

_COLOUR = r"\x1b\[[0-9;:]*m"
_RESET = "\x1b[0m"
_COMMAND = re.compile(
    rf"(?P<colour>{_COLOUR})"
    r"|\x1b[PX^_\]][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|$)"  # DCS, SOS, PM, APC and OSC up to their end
    r"|[\x90\x98\x9d-\x9f][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|$)"  # the same, opened by one C1 character
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # CSI
    r"|\x1b[ -/]*[0-~]?"  # two-character sequences, and a lone ESC
    r"|[\x00-\x08\x0a-\x1f\x7f-\x9f]"  # other control characters; a tab is harmless
)


def safe(text: str) -> str:
    """Return one line with its SGR colour sequences (ECMA-48 §8.3.117) and no other control sequence."""
    if text.isprintable():
        return text
    clean = _COMMAND.sub(lambda match: match["colour"] or "", text)
    last = clean.rfind("\x1b[")
    return clean if last < 0 or clean.startswith(_RESET, last) else clean + _RESET
