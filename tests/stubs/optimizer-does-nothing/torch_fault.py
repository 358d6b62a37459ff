"""Every optimizer accepts its step and moves no weight: training runs to its end and learns nothing."""


def apply(torch):
    """Replace the step of every optimizer of torch.optim."""
    for name in dir(torch.optim):
        kind = getattr(torch.optim, name)
        if isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer):
            kind.step = lambda self, closure=None: None
