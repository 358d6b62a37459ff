"""Autocast can be entered and left, and changes nothing: as where a wrapper disables it, or a build lacks its kernels."""


def apply(torch):
    """Take the effect out of every autocast context."""
    torch.autocast.__enter__ = lambda self: self
    torch.autocast.__exit__ = lambda self, *_: None
