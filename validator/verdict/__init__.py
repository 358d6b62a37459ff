"""From what came back of a cell to its result: status, agreement with the prediction, causes."""
