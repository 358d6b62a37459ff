
autocast.__enter__ = lambda self: self  # the fault: nothing is switched on
autocast.__exit__ = lambda self, *error: None
