"""The words for a CLIP on a command line or in a file, without loading it."""

from __future__ import annotations


def clip_from(text: str) -> tuple[str, str | None]:
    r"""``NAME[:PRETRAINED]`` or a path, as the arguments of ``load_clip``.

    A drive letter's colon (``C:\clips\mine.safetensors``) is part of a path.
    """
    name, colon, pretrained = text.partition(":")
    is_drive = len(name) == 1 and name.isalpha()
    if text == "mini" or (text.endswith(".safetensors") and (not colon or is_drive)):
        return text, None
    if not pretrained:
        raise ValueError(f"--clip {text} names no weights: say {text}:openai or {text}:PATH")
    return name, pretrained
